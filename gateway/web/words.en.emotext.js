// What the page says in English about text that moves.

export const EN_EMOTEXT = {
  emotext_stop: "Stop moving",
  emotext_again: "Move again",
  emotext_categories: { size: "Size", motion: "Motion", mood: "Mood" },
  emotext_none: "None",
  emotext_sample: "What a day!",
  emotext_see: "Preview",
  emotext_done: "Done",
  emotext_together: "Together",
  emotext_together_hint: "Whoever has this open now sees how often you tap",
  emotext_cheer: (name) => `Cheer: ${name}`,
  emotext_cheered: (name, n) => `${name} × ${n}`,
  emotext_toasts: { seno: "All together now!", kanpai: "Cheers!" },
  emotext_calm: "Your device asks for less motion, so words stand still here",
  emotext_gallery: "Emotext",
  emotext_gallery_hint: "Words can move. Press one to see how.",
  emotext_all: "Move all",
};
