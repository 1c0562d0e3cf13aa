// Runs in every frame before the page's own scripts: knows what the page has scheduled, so that whoever
// observes it can wait until nothing more is about to happen, instead of a fixed time.
(() => {
  const TIMER_SLACK = 5; // ms: browsers run nested timers up to 4 ms late
  const due = new Map(); // timeout -> when it runs, ms
  const periods = new Map(); // interval -> ms
  const frames = new Set(); // animation frames asked for
  const native = {
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    setInterval: window.setInterval.bind(window),
    clearInterval: window.clearInterval.bind(window),
    requestAnimationFrame: window.requestAnimationFrame.bind(window),
    cancelAnimationFrame: window.cancelAnimationFrame.bind(window),
  };

  window.setTimeout = function setTimeout(handler, delay, ...rest) {
    const id = native.setTimeout(handler, delay, ...rest);
    due.set(id, performance.now() + (Number(delay) || 0));
    return id;
  };
  window.setInterval = function setInterval(handler, period, ...rest) {
    const id = native.setInterval(handler, period, ...rest);
    periods.set(id, Number(period) || 0);
    return id;
  };
  // The two are interchangeable.
  window.clearTimeout = window.clearInterval = function clearInterval(id) {
    due.delete(id);
    periods.delete(id);
    native.clearTimeout(id);
  };
  window.requestAnimationFrame = function requestAnimationFrame(callback) {
    const id = native.requestAnimationFrame((time) => {
      frames.delete(id);
      callback(time);
    });
    frames.add(id);
    return id;
  };
  window.cancelAnimationFrame = function cancelAnimationFrame(id) {
    frames.delete(id);
    native.cancelAnimationFrame(id);
  };

  // A caret that blinks would make equal episodes' screenshots differ.
  const steadyCaret = new CSSStyleSheet();
  steadyCaret.replaceSync("* { caret-animation: manual }");
  document.adoptedStyleSheets.push(steadyCaret);

  const isBusy = (end) => {
    const now = performance.now();
    for (const [id, time] of due) {
      if (time + TIMER_SLACK < now) due.delete(id);
      else if (time <= end) return true;
    }
    for (const period of periods.values()) if (now + period <= end) return true;
    const isAnimated = (animation) =>
      animation.playState === "running" && animation.effect?.getComputedTiming().endTime !== Infinity;
    return frames.size > 0 || document.getAnimations().some(isAnimated);
  };
  const pause = (ms) => new Promise((resolve) => native.setTimeout(resolve, ms));
  const drawn = () => new Promise((resolve) => native.requestAnimationFrame(() => native.setTimeout(resolve, 0)));

  // Resolves when nothing is animated, and nothing scheduled within `horizon` ms of the call, or after `limit` ms.
  const settled = async ([horizon, limit]) => {
    const start = performance.now();
    const end = start + limit;
    for (let quiet = 0; quiet < 2 && performance.now() < end; ) {
      if (isBusy(start + horizon)) {
        quiet = 0;
        await pause(5);
      } else {
        quiet += 1;
        await Promise.race([drawn(), pause(50)]); // a page in the background draws nothing
      }
    }
  };
  Object.defineProperty(window, Symbol.for("openenv-gym.settled"), { value: settled });
})();
