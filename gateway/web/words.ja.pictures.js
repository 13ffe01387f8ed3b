// 写真について、ページが日本語で言うこと。

export const JA_PICTURES = {
  picture_add: "写真を添える",
  picture_alt: "何が写っていますか",
  picture_alt_of: (n) => `${n} 枚目の説明`,
  picture_remove: (n) => `${n} 枚目を外す`,
  picture_again: "もう一度",
  pictures_up: "写真を用意しています",
  pictures_ready: "写真の用意ができました",
  picture_send_waits: "写真の用意ができたら送信します",
  pictures_most: (n) => `写真は ${n} 枚までです`,
  picture_expired: "時間がたったので、写真は消えました。もう一度添えてください",
  picture_errors: {
    too_large: "写真が大きすぎます",
    bad_picture: "写真として読めないファイルです",
    full: "まだ送っていない写真が多すぎます。しばらくおいてお試しください",
    picture: "時間がたったので、写真を送れませんでした。取り消して、もう一度添えてください",
    request_picture: "リクエストに写真は添えられません",
  },
  picture_nameless: (n, all) => (all > 1 ? `写真 ${n}/${all}(説明なし)` : "写真(説明なし)"),
  picture_show: "写真を見る",
  picture_gone: "この写真は見られません",
  pictures_gist: (n) => `写真 ${n} 枚`,
  picture_view: "写真",
  picture_before: "前の写真",
  picture_next: "次の写真",
};
