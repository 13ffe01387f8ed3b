// Copying what stands in a field.

/** Copy a field's text; whether it was possible. It is selected in any case. */
export async function copyFrom(input) {
  input.select();
  try {
    // Pages without https have no clipboard; what is selected can be copied all the same.
    if (!navigator.clipboard) return document.execCommand("copy");
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
