// 動く文字について、ページが日本語で言うこと。

export const JA_EMOTEXT = {
  emotext_stop: "動きを止める",
  emotext_again: "もう一度動かす",
  emotext_categories: { size: "大きさ", motion: "動き", mood: "気分" },
  emotext_none: "なし",
  emotext_sample: "きょうも いい日!",
  emotext_see: "プレビュー",
  emotext_done: "決める",
  emotext_together: "みんなで",
  emotext_together_hint: "いまここを開いている人に、押した数だけ届きます",
  emotext_cheer: (name) => `${name}で応援する`,
  emotext_cheered: (name, n) => `${name} ×${n}`,
  emotext_toasts: { seno: "せーの!", kanpai: "乾杯!" },
  emotext_calm: "端末の設定で動きを減らしているので、文字は動きません",
  emotext_gallery: "エモテキ",
  emotext_gallery_hint: "文字に動きをつけられます。押すと動きます。",
  emotext_all: "全部動かす",
};
