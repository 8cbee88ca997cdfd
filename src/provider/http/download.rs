//! Finished pictures, from hosts that are strangers.
//!
//! In: an address that an answer named. Out: a stream of at most so many bytes.
//! Never: the key; a file, a `data:` address or another scheme; a private address, also after a redirect; more than 3 redirects.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Response, Url};

use super::addresses::is_public;
use super::answer::retry_after;
use super::client::{Broken, Clients, broken};
use super::protocol::Origin;
use super::trace;
use super::turns::Turn;
use crate::provider::ByteStream;
use crate::types::{Failure, FailureClass};

/// Most redirects that are followed.
const REDIRECTS: usize = 3;

/// Largest picture that is fetched, 96 MiB, as large as any that can be stored.
const MOST: u64 = 96 << 20;

/// How long a picture may take to come, from the first address to its last byte: who drips a byte a second is not waited for.
const WHOLE: Duration = Duration::from_secs(240);

/// Bytes that are handed on at once, 64 KiB: what came together is not held twice.
const AT_ONCE: usize = 64 << 10;

/// Longest address that is looked at.
const LONGEST_ADDRESS: usize = 8192;

/// Why there is no stream.
pub(super) enum Missed {
    /// The address has had its time; a fresh one may help.
    Expired(Failure),
    /// Anything else.
    Failed(Failure),
}

/// Opens a picture; `own` is the origin that the user has put in the provider's place, and needs no protection from itself.
pub(super) async fn open(clients: &Clients, own: Option<&Origin>, address: &str) -> Result<ByteStream, Missed> {
    let refused = |why: String| Missed::Failed(Failure::new(FailureClass::BadResult, "unsafe-address", why));
    if address.len() > LONGEST_ADDRESS {
        return Err(refused(format!("the address of the picture has {} characters", address.len())));
    }
    let mut url = Url::parse(address).map_err(|error| refused(format!("the address of the picture is none: {error}")))?;
    let begun = Instant::now();
    let ends = begun + WHOLE;
    for _ in 0..=REDIRECTS {
        let is_own = own.is_some_and(|own| own.holds(&url));
        if !is_own {
            is_safe(&url).map_err(|why| refused(format!("the picture is not fetched from `{}`: {why}", place(&url))))?;
        }
        let client = if is_own { &clients.own_files } else { &clients.files };
        let response =
            client.get(url.clone()).timeout(ends.saturating_duration_since(Instant::now())).send().await.map_err(|error| match broken(error) {
                Broken::Before(why) | Broken::After(_, why) => {
                    Missed::Failed(Failure::new(FailureClass::Transient, "connection", format!("{}: {why}", place(&url))))
                }
            })?;
        trace::picture(&url, response.status().as_u16(), begun.elapsed(), response.headers());
        match response.status().as_u16() {
            200 => return body(response).map_err(Missed::Failed),
            301 | 302 | 303 | 307 | 308 => {
                let target = response.headers().get("location").and_then(|target| target.to_str().ok());
                let target = target.and_then(|target| url.join(target).ok());
                url = target.ok_or_else(|| refused(format!("`{}` redirects to no address", place(&url))))?;
            }
            status => return Err(missed(status, &response, &url)),
        }
    }
    Err(refused(format!("more than {REDIRECTS} redirects, the last one to `{}`", place(&url))))
}

fn missed(status: u16, response: &Response, url: &Url) -> Missed {
    let message = format!("`{}` answered {status} instead of the picture", place(url));
    let failure = |class| Failure {
        retry_after: retry_after(response.headers(), SystemTime::now()),
        ..Failure::new(class, status.to_string(), message.clone())
    };
    match status {
        401 | 403 | 404 | 410 => Missed::Expired(failure(FailureClass::BadResult)),
        408 | 425 | 429 | 500.. => Missed::Failed(failure(FailureClass::Transient)),
        _ => Missed::Failed(failure(FailureClass::BadResult)),
    }
}

/// Returns scheme, host and port: the rest of an address may be a secret of its own.
fn place(url: &Url) -> String {
    match url.host_str() {
        Some(host) => format!("{}://{host}{}", url.scheme(), url.port().map_or(String::new(), |port| format!(":{port}"))),
        None => format!("{}:", url.scheme()),
    }
}

/// Says why an address of a stranger must not be followed; names are looked at again when they are resolved.
pub(super) fn is_safe(url: &Url) -> Result<(), &'static str> {
    if url.scheme() != "https" {
        return Err("only https is followed");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries a user's name");
    }
    let address = match url.host_str() {
        None => return Err("it has no host"),
        Some(host) => host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok(),
    };
    match address {
        Some(address) if !is_public(address) => Err("it is a private address"),
        _ => Ok(()),
    }
}

/// Streams the body of an answer that is a picture.
///
/// # Errors
/// A picture that says beforehand that it is too large.
pub(super) fn body(response: Response) -> Result<ByteStream, Failure> {
    let too_large = || Failure::new(FailureClass::BadResult, "too-large", format!("the picture is larger than {} MB", MOST >> 20));
    if response.content_length().is_some_and(|length| length > MOST) {
        return Err(too_large());
    }
    let next = move |(mut response, mut chunk, mut taken, mut turn): (Response, Bytes, u64, Turn)| async move {
        while chunk.is_empty() {
            match turn.next(&mut response).await {
                Ok(None) => return Ok(None),
                Ok(Some(more)) => {
                    taken += more.len() as u64;
                    chunk = more;
                }
                Err(error) => {
                    let (Broken::Before(why) | Broken::After(_, why)) = broken(error);
                    return Err(Failure::new(FailureClass::Transient, "truncated", format!("the picture broke off after {taken} bytes: {why}")));
                }
            }
            if taken > MOST {
                return Err(too_large());
            }
        }
        let piece = chunk.split_to(chunk.len().min(AT_ONCE)).to_vec();
        Ok(Some((piece, (response, chunk, taken, turn))))
    };
    Ok(Box::pin(stream::try_unfold((response, Bytes::new(), 0, Turn::default()), next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_stranger_must_not_send_us_to_are_refused() {
        let unsafe_ones = [
            "http://example.com/a.png",
            "file:///etc/passwd",
            "ftp://example.com/a.png",
            "data:image/png;base64,AAAA",
            "https://127.0.0.1/a.png",
            "https://[::1]/a.png",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/a.png",
            "https://2130706433/a.png",
            "https://0x7f.1/a.png",
            "https://user@example.com/a.png",
            "https://[::ffff:10.0.0.1]/a.png",
            "gopher://example.com/",
            "javascript:alert(1)",
        ];
        for address in unsafe_ones {
            let url = Url::parse(address).expect("an address");
            assert!(is_safe(&url).is_err(), "{address}");
        }
        assert_eq!(is_safe(&Url::parse("https://tempfile.aiquickdraw.com/images/x.png?sig=1").expect("an address")), Ok(()));
    }

    #[test]
    fn what_is_said_of_an_address_leaves_its_secrets_out() {
        assert_eq!(place(&Url::parse("https://user:pass@example.com:8443/secret/x.png?sig=abc").expect("an address")), "https://example.com:8443");
    }
}
