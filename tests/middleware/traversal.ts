/**
 * Request targets that try to reach a file outside of the folder that is served, or one in it that is not to be served.
 *
 * Each is sent as it stands. No answer may have the secret; most have to be refused. `SiteFolder` lays the traps: the
 * secret beside the folder, in a folder whose name begins like it, in dotfiles, and behind symbolic links.
 *
 * @module
 */

/** Ways to write a step upwards, with its slash. */
const UP: readonly string[] = [
  "../",
  "%2e%2e/",
  "%2E%2e/",
  ".%2e/",
  "%2e./",
  "..%2f",
  "..%2F",
  "%2e%2e%2f",
  "..\\",
  "..%5c",
  "%2e%2e%5c",
  "..%5c/",
  "..//",
  ".././/",
  "./../",
  "%252e%252e%252f",
  "..%252f",
  "%252e%252e/",
  "%25252e%25252e%25252f",
  "..%255c",
  "..%c0%af", // overlong forms of the slash, the dot and the backslash
  "..%e0%80%af",
  "..%f0%80%80%af",
  "%c0%ae%c0%ae/",
  "%c0%2e%c0%2e/",
  "%e0%80%ae%e0%80%ae/",
  "..%c1%9c",
  "..%c0%9v",
  "..%u2215",
  "..%ef%bc%8f", // look like a slash: U+FF0F, U+2215, U+2044
  "..%e2%88%95",
  "..%e2%81%84",
  "%ef%bc%8e%ef%bc%8e/", // look like a dot: U+FF0E, U+2024
  "%e2%80%a4%e2%80%a4/",
  "%e2%80%a5/", // looks like two
  "..%00/",
  "%00../",
  "..;/",
  "..;a=b/",
  "..%20/",
  "..%09/",
  "..%0d%0a/",
  ".. /".replace(" ", "%20%20"),
  ".../",
  "....//",
  "..../",
  "..%e2%80%8b/", // a space without width
  "%ef%bb%bf../", // a byte order mark
  "..%7f/",
  "..%80/",
  "..%ff/",
  "%u002e%u002e/",
  "..0x2f",
];

/** A step upwards, once, after a folder that exists, and many times. */
const climbing: readonly string[] = UP.flatMap((up) => [
  `/${up}secret.txt`,
  `/plain/sub/${up}${up}${up}secret.txt`,
  `/${up.repeat(12)}etc/passwd`,
]);

const others: readonly string[] = [
  // The absolute path, in ways that a join could take for one.
  ..."//etc/passwd ///etc/passwd /%2fetc%2fpasswd /%2f%2fetc/passwd /file:///etc/passwd /file:%2f%2f%2fetc%2fpasswd"
    .split(
      " ",
    ),
  ..."/%5cetc%5cpasswd /~/secret.txt /~root/secret.txt /$HOME/secret.txt /%24%7bHOME%7d/secret.txt".split(" "),
  // The name of the folder is a prefix of another one.
  ..."/../site-secret/secret.txt /%2e%2e/site-secret/secret.txt /-secret/secret.txt /..-secret/secret.txt".split(" "),
  // NUL and what follows it.
  ..."/hello.txt%00 /hello.txt%00.html /%00 /out.txt%00.txt /index.html%00/../../secret.txt /.env%00.txt".split(" "),
  // Symbolic links out of the folder, to a file, to a folder, upwards, absolute, into a dotfile, in circles.
  ..."/out.txt /out%2etxt /outside /outside/ /outside/secret.txt /outside%2fsecret.txt /parent /parent/ /parent/secret.txt"
    .split(" "),
  ..."/parent/site-secret/secret.txt /parent/site/.env /parent/site/../secret.txt /absolute /hidden.txt /loop /loop/"
    .split(
      " ",
    ),
  ..."/loop/loop /dangling /plain/escape /plain/up/../secret.txt /outside/../secret.txt /parent/site/hello.txt".split(
    " ",
  ),
  // Names with a leading dot.
  ..."/.env /%2eenv /%2Eenv /.git/config /.git%2fconfig /%2egit/config /.git /.git/ /./.env /plain/../.env /.env/ /.env/."
    .split(" "),
  ..."/.ENV /.env%20 /.env. /.env%00 /.env::$DATA /.env%3a%3a%24DATA /.env~ /x/.env /.well-known/acme /. /.. /./ /../ /..."
    .split(" "),
  // Windows: devices, streams, drives, short names, shares, and what it cuts off.
  ..."/con /CON /con.txt /nul /aux /prn /com1 /lpt1 /conin$ /conout$ /c:/secret.txt /C:%5csecret.txt /c:secret.txt"
    .split(
      " ",
    ),
  ..."/hello.txt::$DATA /hello.txt:stream /hello.txt%3a%3a$DATA /out.txt::$DATA /SECRET~1.TXT /..%5csecret.txt".split(
    " ",
  ),
  ..."//server/share/secret.txt /%5c%5cserver%5cshare%5csecret.txt /%5c%5c?%5cC:%5csecret.txt /%5c%5c.%5cC:%5c".split(
    " ",
  ),
  ..."/hello.txt. /hello.txt.. /hello.txt%20 /hello.txt%20%20 /hello.txt%20. /out.txt. /out.txt%20 /plain./ /plain%20/"
    .split(" "),
  // Segments that are empty, or the folder itself.
  ..."//hello.txt /plain//sub/x.txt /plain/./sub/x.txt /plain/sub/../sub/x.txt /hello.txt/ /hello.txt/. /hello.txt/.."
    .split(
      " ",
    ),
  ..."/hello.txt/../hello.txt /plain/%2e/sub/x.txt /%2e/ /%2e%2e /%2e%2e/".split(" "),
  // Escapes that are none, wildcards, and the words of shells and templates.
  ..."/% /%2 /%zz /%u0041 /%25 /* /?../secret.txt /hello.txt?../../secret.txt /%3f../secret.txt /%23/../secret.txt"
    .split(
      " ",
    ),
  ..."/$(cat%20secret.txt) /%60cat%60 /|cat /;cat /&cat /{..,}/secret.txt /[.][.]/secret.txt /*/secret.txt /%2a%2a/secret.txt"
    .split(" "),
  // Absolute-form, whose path counts.
  ..."http://test.example/../secret.txt http://test.example/%2e%2e/secret.txt http://test.example//etc/passwd".split(
    " ",
  ),
  // Very long: names, depth, steps.
  `/${"a".repeat(255)}`,
  `/${"a".repeat(256)}`,
  `/${"a".repeat(5000)}`,
  `/${"a/".repeat(2000)}`,
  `/${"../".repeat(1000)}etc/passwd`,
  `/${"%2e%2e/".repeat(500)}etc/passwd`,
  `/${"plain/../".repeat(400)}../secret.txt`,
  `/${"%c0%ae".repeat(500)}`,
  `/${"%f0%9f%92%a9".repeat(400)}`,
];

/** All targets. Some name the folder that is served by its absolute path. */
export function traversalTargets(root: string): readonly string[] {
  const absolute = encodeURIComponent(`${root}/../secret.txt`);
  const targets = [...climbing, ...others, `/${absolute}`, `/..${absolute}`, `//${root}/../secret.txt`];
  return [...new Set(targets)];
}

/** Targets of files that are served: with a query, and by a link that leads out of the folder and into it again. */
export const ORDINARY: ReadonlySet<string> = new Set([
  "/?../secret.txt",
  "/hello.txt?../../secret.txt",
  "/parent/site/hello.txt",
]);
