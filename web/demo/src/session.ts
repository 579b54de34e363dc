import { HubbubError, readToken, type TokenClaims, type TokenProvider } from "@hubbub/client";

/** What the lobby asks for. */
export interface Wish {
  readonly name: string;
  readonly room: string;
  readonly peerToPeer: boolean;
}

/** What the address of the page says. */
export interface Invitation {
  /** A token that somebody else made: then name and room are settled. */
  readonly token: string | null;
  readonly room: string;
  readonly name: string;
  readonly peerToPeer: boolean;
}

const NAME_KEY = "hubbub.name";
const IDENTITY_KEY = "hubbub.identity";

export function invitation(): Invitation {
  const query = new URLSearchParams(location.search);
  const token = query.get("token");
  const claims = token === null ? null : claimsOf(token);
  return {
    token,
    room: (claims?.room === "*" ? null : claims?.room) ?? query.get("room") ?? "",
    name: claims?.name ?? claims?.sub ?? query.get("name") ?? stored(localStorage, NAME_KEY) ?? "",
    peerToPeer: query.get("mode") === "p2p",
  };
}

/** Remember the name, and put the room into the address so that it can be passed on. */
export function settle(wish: Wish): void {
  store(localStorage, NAME_KEY, wish.name);
  const query = new URLSearchParams(location.search);
  query.set("room", wish.room);
  if (wish.peerToPeer) query.set("mode", "p2p");
  else query.delete("mode");
  history.replaceState(null, "", `?${query.toString()}`);
}

/** The address to give to others: without one's own token and name. */
export function invitationLink(wish: Wish): string {
  const link = new URL(location.pathname, location.origin);
  link.searchParams.set("room", wish.room);
  if (wish.peerToPeer) link.searchParams.set("mode", "p2p");
  return link.href;
}

/** A token of the address, or one that a development server makes for whoever asks. */
export function tokenProvider(wish: Wish, given: string | null): TokenProvider {
  if (given !== null) return given;
  return async () => {
    const response = await fetch("/dev/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ identity: identity(), room: wish.room, name: wish.name }),
    });
    if (response.status === 404 || response.status === 405) {
      throw new HubbubError("unauthorized", "This server wants an invitation: open the link that you were given.");
    }
    if (!response.ok) throw await HubbubError.fromResponse(response);
    return ((await response.json()) as { token: string }).token;
  };
}

/** Null for what is no token: the server will say so when it is used. */
function claimsOf(token: string): TokenClaims | null {
  try {
    return readToken(token);
  } catch {
    return null;
  }
}

/** One per tab, so that two tabs are two people; kept when the tab is reloaded. */
function identity(): string {
  const known = stored(sessionStorage, IDENTITY_KEY);
  if (known !== null) return known;
  const made = `guest-${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? ""}`;
  store(sessionStorage, IDENTITY_KEY, made);
  return made;
}

/** Storage may be switched off: then nothing is remembered, and nothing else happens. */
function stored(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null;
  }
}

function store(storage: Storage, key: string, value: string): void {
  try {
    storage.setItem(key, value);
  } catch {
    return;
  }
}
