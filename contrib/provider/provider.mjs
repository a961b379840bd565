// A real OpenID provider (npm's oidc-provider) on 127.0.0.1, with people one can change and
// tokens one can spoil. For tests and the demo: its sign-in takes any password.
//
// node provider.mjs MODULES CONFIG, where CONFIG is JSON:
//   {port, client_id, client_secret, people: {subject: claims}, knows_everybody}
// PUT /bench/people/SUBJECT claims as JSON; null: nobody is called so
// PUT /bench/fault          "expired", … (see FAULTS), or "" for none

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, configuration] = process.argv.slice(2);
const config = JSON.parse(configuration);
const from = createRequire(join(modules, "package.json"));
const load = (name) => import(pathToFileURL(from.resolve(name)));
const { default: Provider } = await load("oidc-provider");
const { SignJWT, decodeJwt } = await load("jose");

const issuer = `http://127.0.0.1:${config.port}`;
const people = new Map(Object.entries(config.people ?? {}));
let fault = "";

const makeKey = (kid) => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { kid, key: privateKey, jwk: { ...privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" } };
};
const publicPart = ({ jwk: { kty, n, e, kid, alg, use } }) => ({ kty, n, e, kid, alg, use });
const own = makeKey("own");
const forged = makeKey("own");
const next = makeKey("next");

// What each fault makes of an ID token's claims; the last ones change who signs it.
const now = () => Math.floor(Date.now() / 1000);
const FAULTS = {
  expired: () => ({ iat: now() - 7200, exp: now() - 3600 }),
  future: () => ({ iat: now() + 3600, nbf: now() + 3600, exp: now() + 7200 }),
  skewed: () => ({ iat: now() + 20, exp: now() + 7200 }),
  nonce: () => ({ nonce: "of-another-sign-in" }),
  "no nonce": () => ({ nonce: undefined }),
  audience: () => ({ aud: "another-service" }),
  issuer: () => ({ iss: "https://elsewhere.example" }),
  "no subject": () => ({ sub: undefined }),
  forged: () => ({}),
  rotated: () => ({}),
  unsigned: () => ({}),
  claims: (claims) => people.get(claims.sub) ?? {},
};

async function spoil(idToken) {
  const claims = decodeJwt(idToken);
  const spoiled = { ...claims, ...FAULTS[fault](claims) };
  if (fault === "unsigned") {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none" })}.${part(spoiled)}.`;
  }
  const signer = { forged, rotated: next }[fault] ?? own;
  return new SignJWT(spoiled).setProtectedHeader({ alg: "RS256", kid: signer.kid }).sign(signer.key);
}

// In the demo whoever signs in is known, as one of the demo's guests.
const somebody = (subject) => ({
  name: subject.charAt(0).toUpperCase() + subject.slice(1),
  email: `${subject}@demo.example`,
  groups: [{ id: "guests", name: "Guests of the demo" }],
});

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: config.client_id,
      client_secret: config.client_secret,
      redirect_uris: ["http://127.0.0.1/return"],
      post_logout_redirect_uris: ["http://127.0.0.1/out"],
    },
  ],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups"],
  jwks: { keys: [own.jwk] },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, IdToken: 600, Grant: 3600, Interaction: 600, Session: 3600 },
  findAccount: (ctx, subject) => {
    const claims = people.get(subject) ?? (config.knows_everybody && somebody(subject));
    return claims && { accountId: subject, claims: async () => ({ ...claims, sub: subject }) };
  },
});
// Sites of tests listen on ports that nobody knows beforehand.
const isLocal = (address) => ["127.0.0.1", "localhost", "testserver"].includes(new URL(address).hostname);
provider.Client.prototype.redirectUriAllowed = isLocal;
provider.Client.prototype.postLogoutRedirectUriAllowed = isLocal;

async function read(ctx) {
  const parts = [];
  for await (const part of ctx.req) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

provider.use(async (ctx, following) => {
  if (ctx.method === "PUT" && ctx.path.startsWith("/bench/")) {
    const [kind, name] = ctx.path.split("/").slice(2).map(decodeURIComponent);
    const value = await read(ctx);
    if (kind === "fault") fault = value;
    else if (value === null) people.delete(name);
    else people.set(name, value);
    ctx.status = 204;
    return;
  }
  if (fault === "token endpoint" && ctx.path === "/token") {
    ctx.status = 503;
    return;
  }
  if (fault === "no userinfo" && ctx.path === "/me") {
    ctx.status = 500;
    return;
  }
  await following();
  if (ctx.path === "/token" && ctx.body?.id_token && FAULTS[fault]) {
    ctx.body.id_token = await spoil(ctx.body.id_token);
  }
  if (ctx.path === "/token" && fault === "short lived") ctx.body.expires_in = 30;
  if (ctx.path === "/jwks" && fault === "rotated") ctx.body = { keys: [publicPart(next)] };
  if (ctx.path === "/me" && fault === "userinfo of another") ctx.body = { ...ctx.body, sub: "another" };
});

provider.listen(config.port, "127.0.0.1", () => console.log(`answers at ${issuer}`));
