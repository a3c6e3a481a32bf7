import { parseDurationMs } from "./quantity.ts";

/** A duration before now, or a moment with its zone: without one it would be another moment on another computer. */
export function parseMoment(given: string, nowMs: number): Date {
  if (/^[\d.]+[a-z]+$/.test(given)) return new Date(nowMs - parseDurationMs(given));
  const shape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;
  const moment = new Date(given);
  if (!shape.test(given) || Number.isNaN(moment.getTime()))
    throw new Error(
      `"${given}" is neither a time such as 10m or 36h, nor a moment with its zone such as 2026-11-25T09:59Z`,
    );
  if (moment.getTime() > nowMs) throw new Error(`${moment.toISOString()} is still to come`);
  return moment;
}
