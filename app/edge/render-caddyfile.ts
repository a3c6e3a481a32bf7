import { isIPv6 } from "node:net";

import type { EdgeSettings } from "./settings.ts";

/** What is served, and how plain HTTP is answered. */
export type Sites = {
  /** The names that reach the app. */
  names: readonly string[];
  /** www.NAME leads to NAME. */
  redirects: readonly { from: string; to: string }[];
  /** The machine's own addresses, which also reach the app. Empty: no TLS at all. */
  addresses: readonly string[];
  /** `app`: plain HTTP reaches the app. `redirect`: it leads to HTTPS and carries nothing. */
  plain: "app" | "redirect";
};

export type CaddyPlace = Pick<EdgeSettings, "acmeDirectory" | "ports"> & {
  storage: string;
  adminSocket: string;
};

/** Renders the whole configuration of Caddy. The same input gives the same text, so a changed text is a changed edge. */
export function renderCaddyfile(sites: Sites, place: CaddyPlace): string {
  const blocks = [
    renderOptions(sites, place),
    renderApp(place),
    renderPlain(sites, place),
    ...sites.addresses.map((address) => renderAddress(address, place)),
    ...sites.names.map((name) => renderName(name, place)),
    ...sites.redirects.map((redirect) => renderRedirect(redirect, place)),
    ...(sites.addresses.length > 0 ? [renderStranger()] : []),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function renderOptions({ addresses }: Sites, { storage, adminSocket, ports }: CaddyPlace): string {
  const [address] = addresses;
  return `{
	admin unix/${adminSocket}|0600
	storage file_system ${storage}
	persist_config off
	skip_install_trust
	# What plain HTTP answers is written out below.
	auto_https disable_redirects
	http_port ${ports.http}
	https_port ${ports.https}${
    address === undefined
      ? ""
      : `
	# Whoever asks for an address names no server.
	default_sni ${address}`
  }
	# Neither headers nor queries: they carry tokens. Requests are logged by the app.
	log default {
		output stderr
		level INFO
		format filter {
			wrap json
			fields {
				request>headers delete
				resp_headers delete
				request>uri regexp \\?.* ?
			}
		}
	}
	servers {
		# None for a body: the app's own limit answers 408, and this one would cut an upload off instead.
		timeouts {
			read_header 15s
			idle 2m
		}
		max_header_size 16KiB
		# What is sent before the handshake ends can be sent again by others.
		0rtt off
	}
}`;
}

function renderApp({ ports }: CaddyPlace): string {
  return `(app) {
	reverse_proxy 127.0.0.1:${ports.app} {
		header_up -Forwarded
		header_up -X-Real-Ip
		# Held while the app restarts: what can be sent again, and what the app says it has not begun (ADR 38).
		request_buffers 1MiB
		lb_try_duration 10s
		lb_try_interval 20ms
		lb_retry_match {
			method GET HEAD
		}
		lb_retry_match {
			header Idempotency-Key *
		}
		lb_retry_match {
			expression \`{rp.header.Lifeboat-Not-Begun} in ["starting", "stopping"]\`
		}
		transport http {
			keepalive_idle_conns_per_host 512
		}
	}
	handle_errors 502 503 504 {
		header Content-Type application/problem+json
		header Cache-Control no-store
		header Retry-After ${retryAfterSeconds}
		respond \`${JSON.stringify(awayProblem)}\` ${awayProblem.status}
	}
}`;
}

const retryAfterSeconds = 5;

/** Caddy's answer while the app is away. The app cannot have written it, so it promises nothing about a write. */
const awayProblem = {
  type: "urn:lifeboat:problem:app-away",
  title: "App away",
  status: 503,
  detail:
    "The app does not answer. Repeat the request after the time that Retry-After gives, in seconds; a write without an Idempotency-Key may be there: read before you repeat it.",
};

function renderPlain({ plain, names, redirects, addresses }: Sites, { ports }: CaddyPlace): string {
  const [first] = addresses;
  if (plain === "app" || first === undefined)
    return `http:// {
	import app
}`;
  const known = [...names, ...redirects.map(({ from }) => from)];
  const port = renderPort(ports.https);
  const ofNames =
    known.length === 0 ? "" : `\n	@name host ${known.join(" ")}\n	redir @name https://{host}${port}{uri} 308`;
  const ofIpv6 = addresses
    .filter((address) => isIPv6(address))
    .map((address) => `\n	@ipv6 host ${address}\n	redir @ipv6 https://[${address}]${port}{uri} 308`)
    .join("");
  return `http:// {${ofNames}${ofIpv6}
	# Not for good: a name may be served here later.
	redir https://${first}${port}{uri} 307
}`;
}

function renderAddress(address: string, place: CaddyPlace): string {
  return `https://${isIPv6(address) ? `[${address}]` : address} {
${renderIssuer(place, "\n			profile shortlived")}
	import app
}`;
}

function renderName(name: string, place: CaddyPlace): string {
  return `https://${name} {
${renderIssuer(place)}
	${strictTransport}
	import app
}`;
}

function renderRedirect({ from, to }: { from: string; to: string }, place: CaddyPlace): string {
  return `https://${from} {
${renderIssuer(place)}
	${strictTransport}
	redir https://${to}${renderPort(place.ports.https)}{uri} 308
}`;
}

/** A certificate fits, but the name in the request is not served here. Caddy would answer 200 and nothing. */
function renderStranger(): string {
  return `https:// {
	respond 421
}`;
}

// Named at each site: a global one silently gave an address a certificate of Caddy's own CA.
function renderIssuer({ acmeDirectory }: CaddyPlace, more = ""): string {
  return `	tls {
		issuer acme {
			dir ${acmeDirectory}${more}
		}
	}`;
}

const strictTransport = 'header Strict-Transport-Security "max-age=31536000"';

function renderPort(port: number): string {
  return port === 443 ? "" : `:${port}`;
}
