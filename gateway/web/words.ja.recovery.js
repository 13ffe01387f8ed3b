// What the page says in Japanese about recovery codes.

export const JA_RECOVERY = {
  recovery: "予備のコード",
  recovery_hint: "メールを使えなくなったとき、IDとこのコードでログインできます。1つのコードで1回だけ使えます。",
  recovery_none: "予備のコードはまだありません。",
  recovery_left: (n, when) => `のこり ${n} 個(${when} につくりました)`,
  recovery_make: "予備のコードをつくる",
  recovery_again: "つくりなおす",
  recovery_again_ask: "つくりなおすと、前のコードはすべて使えなくなります。",
  recovery_shown: "予備のコードができました",
  recovery_shown_hint: "見られるのは今だけです。紙に写すか、ほかの人が見ない所にしまってください。ほかの端末をすべてログアウトすると、使えなくなります。",
  recovery_codes: "予備のコード(1行に1つ)",
  recovery_save: "ファイルに保存",
  recovery_due: "メールを使えなくなったときのために、予備のコードをつくれます。メニューの「設定」からどうぞ。",
  recovery_title: "予備のコードでログイン",
  recovery_handle_hint: "@ のあとの名前です。",
  recovery_code: "予備のコード",
  recovery_code_hint: "4文字ずつ4組の、16文字。小文字や全角でもかまいません。",
  recovery_wrong: "IDとコードの組み合わせがちがうか、使われたコードです",
  recovery_back: "メールでログインする",
};
