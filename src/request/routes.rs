//! Which route a request takes: the first that matches.

use crate::config;
use crate::object::TargetOrigin;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// To this server, with a Host field or without.
    Reverse(Option<&'a str>),
    /// Through this server as a proxy: only routes that name a host take it.
    Forward(&'a TargetOrigin),
}

/// Whether a route takes a request, and the path that its tiers see.
///
/// `of_request`: the route's authority is wherever the request says, which takes a request that says so.
pub fn takes<'p>(matcher: &config::Match, of_request: bool, way: Way<'_>, path: &'p str) -> Option<&'p str> {
    let host_fits = match (way, &matcher.host) {
        (Way::Reverse(_), _) if of_request => false,
        (Way::Reverse(_), None) => true,
        (Way::Reverse(None), Some(_)) => false,
        (Way::Reverse(Some(host)), Some(pattern)) => fits(pattern, host),
        (Way::Forward(_), None) => false,
        (Way::Forward(target), Some(pattern)) => fits(pattern, &target.host),
    };
    if !host_fits {
        return None;
    }
    let Some(prefix) = &matcher.path else { return Some(path) };
    let rest = prefix.rest(path)?;
    Some(if matcher.strip { rest } else { path })
}

/// Patterns write IPv6 literals with brackets, parsed targets without.
fn fits(pattern: &config::HostPattern, host: &str) -> bool {
    pattern.matches(host) || (host.contains(':') && pattern.matches(&format!("[{host}]")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const ROUTES: &str = "
listen: [{ address: 127.0.0.1:0, forward: true }]
admin: { address: 127.0.0.1:0 }
tiers:
  shared: { http: { url: http://127.0.0.1:1 } }
  target: { http: { url: request } }
routes:
  - { name: kept, match: { path: /kept/, strip: false }, tiers: [shared] }
  - { name: stripped, match: { path: /a }, tiers: [shared] }
  - { name: hosted, match: { host: '*.example.com', path: /b/ }, tiers: [shared] }
  - { name: target, match: { host: '*.example.com' }, tiers: [target] }
  - { name: rest, match: {}, tiers: [shared] }
";

    /// `host/path`, with `http://` in front for a proxy's request, to `route path`.
    fn check(request: &str, expected: Option<(&str, &str)>) {
        let config = Config::parse(ROUTES, &|_| None).unwrap();
        let (forward, rest) = request
            .strip_prefix("http://")
            .map_or((false, request), |rest| (true, rest));
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let target = TargetOrigin {
            secure: false,
            host: host.into(),
            port: 80,
        };
        let way = if forward {
            Way::Forward(&target)
        } else {
            Way::Reverse(Some(host).filter(|h| !h.is_empty()))
        };
        let found = config.routes.iter().find_map(|route| {
            let of_request = route.upstreams.authority().is_request();
            takes(&route.matcher, of_request, way, path).map(|path| (route.name.as_str().to_owned(), path.to_owned()))
        });
        assert_eq!(
            found,
            expected.map(|(route, path)| (route.to_owned(), path.to_owned())),
            "{request}"
        );
    }

    #[test]
    fn the_first_match_wins() {
        check("h/kept/x", Some(("kept", "/kept/x")));
        check("/a/b/x", Some(("stripped", "/b/x")));
        check("/ab", Some(("rest", "/ab")));
        check("repo.example.com/b/x", Some(("hosted", "/x")));
        check("REPO.example.com./b/x", Some(("hosted", "/x")));
        check("repo.example.com/x", Some(("rest", "/x")));
        check("http://repo.example.com/x", Some(("target", "/x")));
        check("http://repo.example.com/b/x", Some(("hosted", "/x")));
        check("http://elsewhere/a/x", None);
    }
}
