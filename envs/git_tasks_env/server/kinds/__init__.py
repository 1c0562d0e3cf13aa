"""The kinds of tasks: a module each, whose ``make`` lays a history on a workbench and says what is asked."""
