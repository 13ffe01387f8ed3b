// What the page says in English about recovery codes.

export const EN_RECOVERY = {
  recovery: "Recovery codes",
  recovery_hint: "When you cannot use your mail any more, you can log in with your ID and one of these. Each works once.",
  recovery_none: "There are no recovery codes yet.",
  recovery_left: (n, when) => `${n} left, made ${when}`,
  recovery_make: "Make recovery codes",
  recovery_again: "Make new ones",
  recovery_again_ask: "With new ones, none of the codes before will work any more.",
  recovery_shown: "Here are your recovery codes",
  recovery_shown_hint: "They are shown only now. Write them down, or keep them where nobody else looks. Logging out all other devices ends them.",
  recovery_codes: "Recovery codes, one a line",
  recovery_save: "Save as a file",
  recovery_due: "For the day when you cannot use your mail, you can make recovery codes: Settings, in the menu.",
  recovery_title: "Log in with a recovery code",
  recovery_handle_hint: "The name behind the @.",
  recovery_code: "Recovery code",
  recovery_code_hint: "16 characters, four by four. Small letters are fine, too.",
  recovery_wrong: "ID and code do not go together, or the code was used",
  recovery_back: "Log in by mail",
};
