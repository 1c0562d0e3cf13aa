"""The client's side of the dialect openenv-gym.v1: many sessions on one connection that mends itself."""
