/** The proxy that the environment names for a URL, as curl reads it; undefined for none. */
export function findProxy(url: URL, env: NodeJS.ProcessEnv = process.env): URL | undefined {
  const scheme = url.protocol.slice(0, -1);
  const text = env[`${scheme}_proxy`] || env[`${scheme.toUpperCase()}_PROXY`] || env.all_proxy || env.ALL_PROXY;
  if (!text || isExcepted(url, env.no_proxy || env.NO_PROXY || '')) return undefined;
  const proxy = URL.parse(text.includes('://') ? text : `http://${text}`);
  return proxy?.protocol === 'http:' || proxy?.protocol === 'https:' ? proxy : undefined;
}

/** `no_proxy`: hosts, domains with all below them, `host:port`, or `*`. */
function isExcepted(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some(entry => {
    if (entry === '*') return true;
    const [, name = '', wanted] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    const domain = name.replace(/^\*?\./, '');
    if (domain === '' || (wanted && wanted !== port)) return false;
    return host === domain || host.endsWith(`.${domain}`);
  });
}
