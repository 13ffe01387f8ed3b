// What the page says in English about pictures.

export const EN_PICTURES = {
  picture_add: "Add pictures",
  picture_alt: "What does it show?",
  picture_alt_of: (n) => `Description of picture ${n}`,
  picture_remove: (n) => `Remove picture ${n}`,
  picture_again: "Try again",
  pictures_up: "Preparing pictures",
  pictures_ready: "Pictures are ready",
  picture_send_waits: "Will be sent when the pictures are ready",
  pictures_most: (n) => `At most ${n} pictures`,
  picture_expired: "The pictures waited too long and are gone. Please add them again",
  picture_errors: {
    too_large: "The picture is too large",
    bad_picture: "This file can’t be read as a picture",
    full: "Too many of your pictures wait to be sent. Please try again later",
    picture: "The pictures waited too long to be sent. Take this back and add them again",
    request_picture: "A request carries no pictures",
  },
  picture_nameless: (n, all) => (all > 1 ? `Picture ${n} of ${all} (no description)` : "Picture (no description)"),
  picture_show: "Show picture",
  picture_gone: "This picture can’t be shown",
  pictures_gist: (n) => (n === 1 ? "1 picture" : `${n} pictures`),
  picture_view: "Picture",
  picture_before: "Previous picture",
  picture_next: "Next picture",
};
