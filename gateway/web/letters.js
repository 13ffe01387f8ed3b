// Text as people count it. No DOM in here.

/** The characters of a text as people see them: a family is one, and so is a letter with its marks. */
export function letters(text) {
  // Browsers of before 2024 may know code points only; that is near enough for a face or a hint.
  if (!Intl.Segmenter) return [...text];
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}
