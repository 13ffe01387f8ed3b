// A field for a mail address; whoever gives one of a phone company is told what that may mean, and may use it all the same.

import { el } from "./dom.js";
import { field } from "./forms.js";
import { words } from "./words.js";

// Phone companies filter mail hard, and the address ends with the contract.
const CARRIERS = /@(?:[^@]+\.)?(?:docomo|ezweb|softbank|vodafone|disney|ymobile1?|y-mobile|emnet)\.ne\.jp$|@au\.com$|@(?:[^@]+\.)?(?:i\.softbank|uqmobile|rakumail)\.jp$|@(?:[^@]+\.)?(?:willcom|pdx)\.(?:com|ne\.jp)$/;

/** As `field`, for an address. */
export function mailField(name, label, properties, hint) {
  const made = field(name, label, { inputmode: "email", autocomplete: "email", autocapitalize: "none", spellcheck: "false", ...properties }, hint);
  const told = el("p", { class: "quiet", role: "status" });
  const look = ({ value }) => {
    told.textContent = CARRIERS.test(value.normalize("NFKC").trim().toLowerCase()) ? words.mail_carrier : "";
  };
  const input = made.querySelector("input");
  input.addEventListener("input", () => look(input));
  look(input);
  made.append(told);
  return made;
}
