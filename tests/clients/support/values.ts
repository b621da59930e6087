/** What a subscriber must have heard of a design. */
import { expect } from "vitest";
import type { Begun } from "./operations";

export function expectTheDesign(heard: unknown, { projectId, designId }: Begun): void {
  expect(heard).toEqual({
    data: {
      designCompleted: {
        cursor: expect.any(String),
        designId,
        projectId,
        status: "SUCCEEDED",
        summary: { moduleCount: expect.any(Number), systemSizeStc: expect.any(Number) },
      },
    },
  });
}
