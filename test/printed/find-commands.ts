import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

import { verbs } from "../../app/verbs.ts";

const root = dirname(dirname(import.meta.dirname));
/** Whatever speaks to people: messages, the card, the docs. */
const places = ["app", "infra", "scripts", "cloud-init", "docs", "README.md", "Pulumi.yaml"];

/** A command as it is printed: from its program to the end of the sentence or of the code around it. */
export type PrintedCommand = { at: string; program: string; words: string[] };

/** What follows a program's name where it is a command, and not a word of a sentence. */
const programs: Record<string, string> = {
  npm: "[a-z-]",
  lifeboat: `(?:${verbs.map(({ command: { name } }) => name).join("|")})(?![\\w-])`,
  pulumi: "[a-z-]",
  systemctl: "[a-z-]",
  aws: "(?:configure|iam|s3|s3api|sts) ",
  litestream: "[a-z]+ -",
  openssl: "[a-z_0-9]+ -",
  "cloud-init": "[a-z]+ -",
  docker: "(?:build|run) -",
  ssh: "-|\\S+@",
  dd: "\\w+=",
  mkdir: "[-\\w./]+/",
  sqlite3: "\\S+ ['-]",
  comm: "-\\d",
  mount: "[-/]",
  umount: "[-/]",
  curl: "-",
  journalctl: "-",
  flock: "[-\\w./]+ [-\\w./]+ ",
  git: "(?:clone|log|show) \\S*[:/]",
  apt: "install",
  brew: "install",
  node: "[-\\w./]+\\.m?[jt]s\\b",
  printf: "[%']",
};
/** A release's own programs are typed by their path. */
const ownPrograms = "/opt/lifeboat/current/bin/";
const command = new RegExp(
  `(?<![-\\w.])(?:(?<path>${ownPrograms})(?=[\\w-])|${Object.entries(programs)
    .map(([program, follows]) => `${program} (?=${follows})`)
    .join("|")})`,
  "g",
);

/** Finds every command that a source, a document or a setting asks a person to type. Comments count too. */
export function findPrintedCommands(): PrintedCommand[] {
  return listFiles().flatMap((path) => readCommands(path, readFileSync(join(root, path), "utf8")));
}

/** The commands in one text; in a script of a shell, those that it prints. */
export function readCommands(path: string, content: string): PrintedCommand[] {
  return readTexts(path, content).flatMap(({ at, text, isScript }) => {
    // A command in $(…) counts by itself: a person who types the line runs it too. A script has run it before it
    // prints.
    const inner = isScript ? [] : [...text.matchAll(substitution)].map(([, words = ""]) => words);
    return [text, ...inner].flatMap((words) => readLine(at, replaceInserts(words)));
  });
}

function readLine(at: string, line: string): PrintedCommand[] {
  return [...line.matchAll(command)].map((match) => ({
    at,
    program: match[0].trim(),
    words: splitWords(line.slice(match.index + match[0].length)),
  }));
}

/** The first words of all code in a document: what somebody types begins with one. */
export function findFirstWords(): { at: string; word: string }[] {
  const documents = listFiles().filter((path) => /^(docs\/(?!decisions\/).*|README)\.md$/.test(path));
  return documents.flatMap((path) => {
    const content = readFileSync(join(root, path), "utf8");
    // With the language, so that the end of a block is not taken for the begin of one.
    const fenced = [...content.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)];
    const blocks = fenced.flatMap(([, language, block = ""]) => (language === "" ? block.split("\n") : []));
    const inline = [...content.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
    return [...blocks, ...inline].flatMap((code) => {
      const [, word] = /^(?:[A-Z_]+=\S+ )*([a-z][\w-]*) \S/.exec(code) ?? [];
      return word === undefined ? [] : [{ at: path, word }];
    });
  });
}

/** Whether commands of a program are found at all. */
export function isKnown(program: string): boolean {
  return Object.hasOwn(programs, program);
}

type Text = { at: string; text: string; isScript: boolean };

const substitution = /\$\(((?:[^()]|\([^()]*\))*)\)/g;

function readTexts(path: string, content: string): Text[] {
  const lines = content.split("\n").map((text, index) => ({ at: `${path}:${index + 1}`, text, isScript: false }));
  // Of a unit, systemctl shows this.
  if (/\.(service|target|mount|timer)(\.d\/.*)?$/.test(path))
    return lines.filter(({ text }) => text.startsWith("Description="));
  return content.startsWith("#!/bin/sh") || path.endsWith(".sh") ? readScript(path, content) : lines;
}

/** The words of a script that somebody reads: what it refuses with, and what it echoes. */
function readScript(path: string, content: string): Text[] {
  return [...content.matchAll(/\b(?:refuse|give_up|echo|next=)(?: ?"(?:\\.|[^"\\])*"|\\\n|[^"\n])*/g)].flatMap(
    (match) => {
      const at = `${path}:${content.slice(0, match.index).split("\n").length}`;
      return [...match[0].matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, text = ""]) => ({ at, text, isScript: true }));
    },
  );
}

/** What a program or a shell puts in stands for one word. */
function replaceInserts(line: string): string {
  return line
    .replaceAll(/"?\$\((?:[^()]|\([^()]*\))*\)(\/\d+)?"?/g, "INSERT")
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "INSERT")
    .replaceAll(/\$[\w@*]+/g, "INSERT");
}

function splitWords(rest: string): string[] {
  // A command ends where its code does, at another command, or at the end of a sentence.
  const [typed = ""] = rest.split(/`|"|;| && | \|\| |\\n|\)|, |\. |: /);
  return typed
    .trim()
    .split(/\s+/)
    .map((word) => word.replaceAll(/^'|'$|[.,]$/g, ""))
    .filter((word) => word !== "");
}

function listFiles(): string[] {
  return places.flatMap((place) =>
    statSync(join(root, place)).isFile()
      ? [place]
      : readdirSync(join(root, place), { recursive: true, encoding: "utf8" })
          .map((name) => join(place, name))
          .filter((path) => statSync(join(root, path)).isFile()),
  );
}
