// Operations by HTTP with the cookie, and the errors of calls by whatever way. No DOM in here.

const ANSWER_MS = 15_000;

/** Why a call did not succeed: a code of the server's table, or `offline`, `timeout` from here. */
export class CallError extends Error {
  constructor({ code, message = code, retry_ms = null, details = {}, request_id = "" }) {
    super(message);
    this.code = code;
    this.retryMs = retry_ms;
    this.details = details;
    this.requestId = request_id;
  }

  /** The same request may succeed later without being changed. */
  get temporary() {
    return ["offline", "timeout", "rate_limited", "unavailable", "internal"].includes(this.code);
  }

  /** As it stands in a frame. */
  get told() {
    const { code, message, retryMs, details, requestId } = this;
    return { code, message, retry_ms: retryMs, details, request_id: requestId };
  }
}

/** POST a JSON object with the cookie; the `ok` of the answer. Throws CallError. */
export async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    throw new CallError({ code: "offline" });
  }
  const answer = await response.json().catch(() => ({}));
  if (answer.ok !== undefined) return answer.ok;
  throw new CallError(answer.error ?? { code: response.status === 404 ? "not_found" : "unavailable" });
}

/** Run an operation. Throws CallError. */
export function operate(op, d) {
  return post(`/api/v1/${op}`, d);
}

/** The session that the cookie stands for. Throws CallError. */
export async function currentSession() {
  const { sessions } = await operate("session.list", {});
  return sessions.find(({ current }) => current).id;
}
