//! Who may ask for what. Anybody on this machine can connect to loopback, and any page in the browser can make it send requests here.
//!
//! In: the head of a request. Out: what is asked for, or why not. Never: a request that does not carry the secret, or that names another
//! host than this one (a name that was bound to 127.0.0.1), or that another site's page has made.

use std::fmt;

use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};

/// The part of the address that nobody can guess: 128 bits, in hex.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Draws one from the system.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| std::io::Error::other("the system has no random numbers"))?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Compares in a time that does not tell how much was right.
    fn is(&self, other: &str) -> bool {
        let differs = self.0.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        self.0.len() == other.len() && differs == 0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody may have.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// A file, by its path below the page's folder.
    File(String),
    /// The picks as they are.
    Picks,
    /// Whether there are pictures that the page does not have.
    State,
    /// To say something about picks.
    Say,
}

/// Why somebody does not get it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number.
    pub status: StatusCode,
    /// The words.
    pub why: String,
}

fn no(status: StatusCode, why: &str) -> Refusal {
    Refusal { status, why: why.to_owned() }
}

/// What is compared with.
pub struct Guard {
    /// The port that is listened on.
    pub port: u16,
    /// The secret part of the address.
    pub secret: Secret,
}

impl Guard {
    /// Returns what a request asks for, if it may.
    pub fn judge(&self, head: &Parts) -> Result<Asked, Refusal> {
        let hosts = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let host = one(&head.headers, &header::HOST).filter(|host| hosts.iter().any(|own| own == host));
        let Some(host) = host else { return Err(no(StatusCode::FORBIDDEN, "another host is meant")) };
        if head.uri.authority().is_some_and(|named| !hosts.iter().any(|own| own == named.as_str())) {
            return Err(no(StatusCode::FORBIDDEN, "another host is meant"));
        }
        let origin = one(&head.headers, &header::ORIGIN);
        if head.headers.contains_key(header::ORIGIN) && origin != Some(&format!("http://{host}")) {
            return Err(no(StatusCode::FORBIDDEN, "another site asks"));
        }
        let site = head.headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("cross-site"));
        // `none` is a person who typed the address or followed it from a terminal.
        if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(no(StatusCode::FORBIDDEN, "another site asks"));
        }
        let path = head.uri.path().strip_prefix('/').unwrap_or_default();
        let (secret, path) = path.split_once('/').unwrap_or((path, ""));
        if !self.secret.is(secret) {
            return Err(no(StatusCode::NOT_FOUND, "there is nothing here"));
        }
        match (&head.method, path) {
            (&Method::GET, "picks") => Ok(Asked::Picks),
            (&Method::GET, "state") => Ok(Asked::State),
            (&Method::GET, "") => Ok(Asked::File("index.html".to_owned())),
            (&Method::GET, path) => decoded(path).map(Asked::File).ok_or_else(|| no(StatusCode::BAD_REQUEST, "the path cannot be read")),
            (&Method::POST, "picks") => {
                if origin.is_none() {
                    return Err(no(StatusCode::FORBIDDEN, "nobody says which page asks"));
                }
                if one(&head.headers, &header::CONTENT_TYPE) != Some("application/json") {
                    return Err(no(StatusCode::UNSUPPORTED_MEDIA_TYPE, "words come as JSON"));
                }
                Ok(Asked::Say)
            }
            _ => Err(no(StatusCode::METHOD_NOT_ALLOWED, "this is not done here")),
        }
    }
}

/// Returns the value of a header that is there exactly once.
fn one<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Undoes the escapes of a path; the result is only ever compared with paths that are known.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(if byte == b'%' { u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const HOST: &str = "127.0.0.1:4711";

    fn judge(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Asked, u16> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let guard = Guard { port: 4711, secret: Secret("5ec7e7".to_owned()) };
        guard.judge(&request.body(()).expect("a request").into_parts().0).map_err(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn the_page_its_files_and_the_picks_are_there_for_those_who_know_the_secret() {
        let own = [("host", HOST)];
        assert_eq!(judge("GET", "/5ec7e7/", &own), Ok(Asked::File("index.html".to_owned())));
        assert_eq!(judge("GET", "/5ec7e7/tea%20pot/%C3%A4%2Fb.png?x=1", &own), Ok(Asked::File("tea pot/ä/b.png".to_owned())));
        assert_eq!(judge("GET", "/5ec7e7/picks", &[("host", "localhost:4711"), ("sec-fetch-site", "same-origin")]), Ok(Asked::Picks));
        assert_eq!(judge("GET", "/5ec7e7/state", &[("host", HOST), ("sec-fetch-site", "same-origin")]), Ok(Asked::State));
        assert_eq!(judge("GET", "/5ec7e7/state", &[("host", HOST), ("sec-fetch-site", "cross-site")]), Err(403));
        assert_eq!(judge("GET", "/5ec7e7/state", &[("host", "evil.example")]), Err(403));
        for path in ["/", "/index.html", "/state", "/5ec7e8/", "/5ec7e", "/5ec7e7x/", "//5ec7e7/", "/picks"] {
            assert_eq!(judge("GET", path, &own), Err(404), "{path}");
        }
        assert_eq!(judge("GET", "/5ec7e7/%zz", &own), Err(400));
    }

    #[test]
    fn a_name_that_was_bound_to_loopback_is_refused() {
        for host in ["evil.example:4711", "evil.example", "127.0.0.1", "127.0.0.1:80", "[::1]:4711", "127.0.0.1:4711.evil.example"] {
            assert_eq!(judge("GET", "/5ec7e7/", &[("host", host)]), Err(403), "{host}");
        }
        assert_eq!(judge("GET", "/5ec7e7/", &[]), Err(403));
        assert_eq!(judge("GET", "/5ec7e7/", &[("host", HOST), ("host", "evil.example")]), Err(403));
        assert_eq!(judge("GET", "http://evil.example/5ec7e7/", &[("host", HOST)]), Err(403));
    }

    #[test]
    fn a_page_of_another_site_is_refused_whatever_it_sends() {
        let json = ("content-type", "application/json");
        let own = ("origin", "http://127.0.0.1:4711");
        assert_eq!(judge("POST", "/5ec7e7/picks", &[("host", HOST), own, json]), Ok(Asked::Say));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:4712", "https://127.0.0.1:4711", "http://localhost:4711"] {
            assert_eq!(judge("POST", "/5ec7e7/picks", &[("host", HOST), ("origin", origin), json]), Err(403), "{origin}");
            assert_eq!(judge("GET", "/5ec7e7/", &[("host", HOST), ("origin", origin)]), Err(403), "{origin}");
        }
        assert_eq!(judge("POST", "/5ec7e7/picks", &[("host", HOST), json]), Err(403), "no origin");
        assert_eq!(judge("GET", "/5ec7e7/", &[("host", HOST), ("sec-fetch-site", "cross-site")]), Err(403));
        assert_eq!(judge("POST", "/5ec7e7/picks", &[("host", HOST), own, ("content-type", "text/plain")]), Err(415), "what a form can send");
        for method in ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"] {
            assert_eq!(judge(method, "/5ec7e7/picks", &[("host", HOST), own, json]), Err(405), "{method}");
        }
        assert_eq!(judge("POST", "/5ec7e7/index.html", &[("host", HOST), own, json]), Err(405));
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let (one, other) = (Secret::new().expect("random"), Secret::new().expect("random"));
        assert!(one != other && one.to_string().len() == 32);
    }
}
