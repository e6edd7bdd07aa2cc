/**
 * As much of React as a hook needs: state, references and effects of one component that is never drawn.
 */

/** Runs a hook as a component would; `now()` is what it answered last. */
export function mount(hook) {
  const slots = [];
  let at = 0;
  let answer;
  let rendering = false;
  let stale = false;

  const slot = (make) => {
    if (at === slots.length) slots.push(make());
    return slots[at++];
  };
  const render = () => {
    stale = true;
    if (rendering) return;
    rendering = true;
    while (stale) {
      stale = false;
      at = 0;
      answer = component(react);
      slots.filter((own) => own.effect).forEach((own) => {
        own.clean?.();
        own.clean = own.effect();
        own.effect = undefined;
      });
    }
    rendering = false;
  };
  const react = {
    useState(initial) {
      const own = slot(() => ({ value: initial }));
      const set = (next) => {
        own.value = typeof next === "function" ? next(own.value) : next;
        render();
      };
      return [own.value, set];
    },
    useRef: (initial) => slot(() => ({ current: initial })),
    useEffect(effect, needs) {
      const own = slot(() => ({}));
      if (!own.needs || needs.some((need, index) => need !== own.needs[index])) own.effect = effect;
      own.needs = needs;
    },
  };
  const component = hook(react);
  render();
  return {
    now: () => answer,
    unmount: () => slots.forEach((own) => own.clean?.()),
  };
}
