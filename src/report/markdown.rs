//! Text of strangers inside Markdown: shown as it stands.
//!
//! In: prompts, names from a CSV. Out: one line of Markdown without markup, HTML, links or mentions of its own.
//! Never: a character that ends the place it was put into.

use crate::types::visible;

/// Breaks up what a site would make a link or a mention of, without showing.
const APART: &str = "&#8203;";

/// Returns text that Markdown shows as it stands, on one line.
///
/// Sites look for mentions, issues and addresses in what is shown, so escaping them is not enough: they are broken up.
pub fn plain(text: &str) -> String {
    let text = visible(text);
    let mut plain = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    let mut is_first = true;
    while let Some(char) = chars.next() {
        match char {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '@' => {
                plain.push('@');
                plain.push_str(APART);
            }
            '#' => {
                plain.push_str("\\#");
                plain.push_str(APART);
            }
            ':' if chars.peek() == Some(&'/') => {
                plain.push(':');
                plain.push_str(APART);
            }
            '.' if plain.to_ascii_lowercase().ends_with("www") => {
                plain.push_str(APART);
                plain.push('.');
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '!' | '~' | '$' | '{' | '}' => {
                plain.push('\\');
                plain.push(char);
            }
            // What begins a list or underlines a heading, where the text begins a line.
            '-' | '+' | '=' if is_first => {
                plain.push('\\');
                plain.push(char);
            }
            _ => plain.push(char),
        }
        is_first = false;
    }
    plain
}

/// Returns text for between two backticks.
pub fn code(text: &str) -> String {
    visible(text).replace('`', "'").replace('|', "¦")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_prompt_is_markup() {
        insta::assert_snapshot!(
            plain("a *bold* [link](https://x.example) <img src=x onerror=1> @team #12 | `code` ~~no~~ $x$ www.x.example\n- item \u{1b}[31m"),
            @r"a \*bold\* \[link\](https:&#8203;//x.example) &lt;img src=x onerror=1&gt; @&#8203;team \#&#8203;12 \| \`code\` \~\~no\~\~ \$x\$ www&#8203;.x.example\\n- item \\u\{1b\}\[31m"
        );
        assert_eq!(plain("- item"), "\\- item");
        assert_eq!(plain("</details>\n<!-- x -->"), "&lt;/details&gt;\\\\n&lt;\\!-- x --&gt;");
        assert_eq!(code("a`b|c"), "a'b¦c");
    }
}
