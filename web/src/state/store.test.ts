import { expect, test } from "vitest";
import { createStore } from "./store";

test("who listens hears of each action until they stop", () => {
  const store = createStore((sum: number, step: number) => sum + step, 0);
  const heard: number[] = [];
  const stop = store.listen(() => heard.push(store.get()));

  store.dispatch(2);
  store.dispatch(3);
  stop();
  store.dispatch(4);

  expect(heard).toEqual([2, 5]);
  expect(store.get()).toBe(9);
});
