/**
 * One line on stderr that ends in the seconds a step took: `[setup] installing packages … 12.3 s`.
 * On a terminal the seconds count up meanwhile. stdout stays free for what is machine-readable.
 * @param {string} text
 */
export function startProgress(text) {
  const startedAt = Date.now();
  const seconds = () => ((Date.now() - startedAt) / 1000).toFixed(1);
  const line = `[setup] ${text} …`;
  process.stderr.write(line);
  const timer = process.stderr.isTTY
    ? setInterval(() => process.stderr.write(`\r${line} ${seconds()} s`), 1000)
    : undefined;
  let lineIsOpen = true;

  /** @param {string} ending */
  function closeLine(ending) {
    if (timer) clearInterval(timer);
    if (lineIsOpen) process.stderr.write(process.stderr.isTTY ? `\r${line} ${ending}\n` : ` ${ending}\n`);
    lineIsOpen = false;
  }

  return {
    /**
     * A line of its own in the middle of the step; the seconds follow on another line.
     * @param {string} message
     */
    say(message) {
      closeLine("");
      process.stderr.write(`[setup] ${message}\n`);
    },
    done() {
      if (lineIsOpen) closeLine(`${seconds()} s`);
      else process.stderr.write(`[setup] ${text}: done after ${seconds()} s\n`);
    },
    failed() {
      if (lineIsOpen) closeLine(`failed after ${seconds()} s`);
    },
  };
}
