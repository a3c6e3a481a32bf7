/** A question to a machine, and what is wrong with its answer. `script` is for root there, and ends with 0. */
export type MachineCheck = Readonly<{
  name: string;
  script: string;
  findFaults(answer: readonly string[]): string[];
}>;

// What systemd may call the exposure of a unit of ours, and of Debian's that installs packages (ADR 41): without our
// settings that has 9.6.
const exposureLimit = 2;
const installer = "apt-daily-upgrade.service";
const installerLimit = 5.6;

const units = "$(cd /etc/systemd/system && ls | grep -E '^(app|boot|caddy|edge|litestream|lifeboat-.*)\\.service$')";
const pidOf = "pid() { systemctl show --property=MainPID --value $1.service; }\n";

/** What a machine that serves must be like inside. */
export const machineChecks: readonly MachineCheck[] = [
  {
    name: "settings of the system",
    script: "systemctl show --property=Result --value lifeboat-hardening",
    findFaults: (answer) => missing(answer, "success"),
  },
  {
    name: "open ports",
    script: "ss --no-header --tcp --udp --listening --numeric --processes",
    findFaults: (answer) => answer.filter((line) => !mayListen(line)),
  },
  {
    name: "exposure",
    script: `for unit in ${units} ${installer}; do systemd-analyze security --no-pager $unit | tail -n 1 | grep -o '[a-z-]*.service: [0-9.]*'; done`,
    findFaults: (answer) =>
      ["app.service: ", `${installer}: `].flatMap((start) => missing(answer, start)).concat(answer.filter(isExposed)),
  },
  {
    name: "sshd",
    script: "if [ -x /usr/sbin/sshd ]; then /usr/sbin/sshd -T; fi",
    findFaults: (answer) => (answer.length === 0 ? [] : wantedOfSsh.flatMap((line) => missing(answer, line))),
  },
  {
    name: "journal",
    script: "systemd-analyze cat-config --no-pager systemd/journald.conf | grep -i '^SystemMaxUse='",
    findFaults: (answer) => missing(answer, "SystemMaxUse=500M"),
  },
  {
    name: "time",
    script: "systemctl is-active chrony ntpsec systemd-timesyncd || :",
    findFaults: (answer) => missing(answer, "active"),
  },
  {
    name: "dumps and swap",
    script: "cat /proc/sys/kernel/core_pattern; tail -n +2 /proc/swaps",
    findFaults: (answer) => answer.filter((line) => line !== "|/bin/false"),
  },
  {
    name: "upgrades",
    script: "systemctl is-active lifeboat-upgrades.timer || :; apt-config dump APT::Periodic",
    findFaults: (answer) => wantedOfUpgrades.flatMap((line) => missing(answer, line)),
  },
  {
    name: "order of OOM kills",
    script: `${pidOf}for unit in app litestream caddy edge lifeboat-deploys; do cat "/proc/$(pid $unit)/oom_score_adj"; done`,
    findFaults: (answer) => {
      const scores = answer.map(Number);
      const isOrdered = scores.every((score, index) => index === 0 || score > (scores[index - 1] ?? 0) || index > 2);
      return isOrdered && scores.slice(2).every((score) => score > 0) ? [] : [answer.join(" ")];
    },
  },
  {
    name: "who reads which file of /etc/lifeboat",
    script: `${pidOf}for unit in app litestream caddy edge; do
  id=$(stat -c '--reuid=%u --regid=%g' "/proc/$(pid $unit)")
  for file in /etc/lifeboat/*; do
    if [ -s $file ] && nsenter -t $(pid $unit) -m -- setpriv $id --clear-groups cat $file >/dev/null 2>&1; then echo "$unit $file"; fi
  done
done`,
    findFaults: (answer) => differing(answer, ["app /etc/lifeboat/tokens"]),
  },
  {
    name: "who reads the metadata",
    // One more process of the unit, behind what systemd has put before its network, and root, whom nothing else stops.
    script: `fetch() { for host in 169.254.169.254 '[fd00:ec2::254]'; do "$@" --silent --max-time 2 --output /dev/null http://$host/ && echo $unit $host; done; }
for unit in app litestream caddy edge lifeboat-deploys; do
  fetch sh -c 'echo $$ >/sys/fs/cgroup/system.slice/$0.service/cgroup.procs; exec "$@"' $unit curl
done
unit=lifeboat
fetch setpriv --reuid=lifeboat --regid=lifeboat --clear-groups curl
:`,
    findFaults: (answer) => [...answer],
  },
  {
    name: "who reads whose environment",
    script: `${pidOf}for unit in app litestream edge; do
  id=$(stat -c '--setuid=%u --setgid=%g' "/proc/$(pid $unit)")
  # A process cannot enter the namespace that it is in.
  if [ "$(readlink /proc/self/ns/user)" != "$(readlink "/proc/$(pid $unit)/ns/user")" ]; then id="-U $id"; fi
  for other in app litestream caddy edge; do
    if nsenter -t $(pid $unit) -m $id -- cat /proc/$(pid $other)/environ >/dev/null 2>&1; then echo "$unit $other"; fi
  done
done`,
    // Each its own, which shows that one can read at all.
    findFaults: (answer) => differing(answer, ["app app", "litestream litestream", "edge edge"]),
  },
];

const wantedOfUpgrades = ["active", 'APT::Periodic::Enable "1";', 'APT::Periodic::Unattended-Upgrade "1";'];

const wantedOfSsh = [
  "permitrootlogin without-password",
  "passwordauthentication no",
  "kbdinteractiveauthentication no",
  "authenticationmethods publickey",
  "allowtcpforwarding local",
  "permitopen localhost:* 127.0.0.1:* [::1]:*",
  "x11forwarding no",
  "allowagentforwarding no",
];

const openToAll = new Set(["tcp 22", "tcp 80", "tcp 443", "udp 443"]);
// Where the machine gets its own addresses from.
const dhcp = new Set(["udp 68", "udp 546"]);

function mayListen(line: string): boolean {
  const [protocol, , , , local = ""] = line.split(/\s+/);
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(local) ?? [];
  if (/^(127\.|\[::1\])/.test(host)) return true;
  return openToAll.has(`${protocol} ${port}`) || dhcp.has(`${protocol} ${port}`);
}

function isExposed(line: string): boolean {
  const [unit = "", exposure] = line.split(": ");
  return !(Number(exposure) <= (unit === installer ? installerLimit : exposureLimit));
}

function missing(answer: readonly string[], wanted: string): string[] {
  return answer.some((line) => line === wanted || (wanted.endsWith(" ") && line.startsWith(wanted)))
    ? []
    : [`missing: ${wanted}`];
}

function differing(answer: readonly string[], wanted: readonly string[]): string[] {
  return [...answer.filter((line) => !wanted.includes(line)), ...wanted.flatMap((line) => missing(answer, line))];
}
