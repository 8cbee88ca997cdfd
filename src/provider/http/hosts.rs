//! Which hosts are the API's own: those alone are sent the key.
//!
//! In: the `hosts` of a manifest: names, or names in which `*` stands for one part, `api.*.example.com`. Out: whether a host is among them.
//! Never: a pattern that strangers could fall under.

/// Returns whether `host` is one of `hosts`.
pub(super) fn is_declared(hosts: &[String], host: &str) -> bool {
    hosts.iter().any(|known| fits(known, host))
}

fn fits(pattern: &str, host: &str) -> bool {
    let (wanted, parts): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    wanted.len() == parts.len()
        && wanted.iter().zip(&parts).all(|(wanted, part)| (*wanted == "*" && !part.is_empty()) || wanted.eq_ignore_ascii_case(part))
}

/// Says why a pattern is none.
pub(super) fn mistake(pattern: &str) -> Option<&'static str> {
    let parts: Vec<&str> = pattern.split('.').collect();
    if parts.iter().any(|part| part.contains('*') && *part != "*") {
        return Some("`*` stands for one whole part of a name, as in `api.*.example.com`");
    }
    let own = parts.len().saturating_sub(2);
    if parts.iter().skip(own).any(|part| *part == "*") {
        return Some("the last two parts of a name say whose it is and are written out");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_part_and_for_nobody_elses_name() {
        let hosts = ["api.example.com".to_owned(), "api.*.example.com".to_owned()];
        for known in ["api.example.com", "api.eu1.example.com", "api.us-central1.example.com"] {
            assert!(is_declared(&hosts, known), "{known}");
        }
        for stranger in ["example.com", "api.a.b.example.com", "api.eu1.example.com.evil.org", "evil.eu1.example.com", "api..example.com", ""] {
            assert!(!is_declared(&hosts, stranger), "{stranger}");
        }
    }

    #[test]
    fn patterns_that_take_in_strangers_are_mistakes() {
        for wrong in ["*.com", "*", "api.*", "api.example.*", "api*.example.com"] {
            assert!(mistake(wrong).is_some(), "{wrong}");
        }
        for good in ["api.example.com", "*.example.com", "api.*.example.com", "localhost"] {
            assert_eq!(mistake(good), None, "{good}");
        }
    }
}
