// What the reader's hand changed. An answer of the kernel never overwrites a newer choice: every change has a number,
// `_hand` holds the changes [number, control, value] that are not answered yet, oldest first, and `_answered` says
// how many the kernel has taken. All of it lives in the model, so that two views of one figure agree.

const unanswered = (model) => (model.get("_hand") ?? []).filter(([number]) => number > model.get("_answered"));

// The values of all controls as the reader sees them.
export const values = (model) =>
  ({ ...model.get("_values"), ...Object.fromEntries(unanswered(model).map(([, name, value]) => [name, value])) });

// Changes [control, value], ... by the hand, for the kernel: sent again until answered, since a newer message may take
// the place of one that still waits.
export function change(model, ...changes) {
  let number = Math.max(model.get("_answered"), ...(model.get("_hand") ?? []).map(([n]) => n));
  const names = changes.map(([name]) => name);
  const older = unanswered(model).filter(([, name]) => !names.includes(name));
  model.set("_hand", [...older, ...changes.map(([name, value]) => [++number, name, value])]);
  model.save_changes();
}
