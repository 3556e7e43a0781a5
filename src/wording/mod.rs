//! What people read, in every language. One Fluent catalogue a language, compiled in; a key that a
//! catalogue does not have yet is said in English. Knows nothing of pages, links or images.

pub mod dates;
pub mod sizes;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::fmt;
use std::sync::LazyLock;

/// A language we have a catalogue of.
#[derive(Clone, Copy)]
pub struct Language(&'static Entry);

struct Entry {
    code: &'static str,
    own_name: &'static str,
    catalogue: &'static str,
}

macro_rules! languages {
    ($($code:literal $own_name:literal;)*) => {
        static ENTRIES: &[Entry] = &[$(Entry {
            code: $code,
            own_name: $own_name,
            catalogue: include_str!(concat!("catalogues/", $code, ".ftl")),
        }),*];
    };
}

languages! {
    "en" "English";
    "es" "Español";
    "de" "Deutsch";
    "fr" "Français";
    "it" "Italiano";
    "pt" "Português";
    "nl" "Nederlands";
    "ar" "العربية";
    "zh" "中文";
    "uk" "Українська";
}

static BUNDLES: LazyLock<Vec<FluentBundle<FluentResource>>> = LazyLock::new(|| ENTRIES.iter().map(bundle).collect());

fn bundle(entry: &Entry) -> FluentBundle<FluentResource> {
    // A test holds that every catalogue parses whole and every code is a language tag.
    let resource = FluentResource::try_new(entry.catalogue.to_owned()).unwrap_or_else(|(readable, _)| readable);
    let mut bundle = FluentBundle::new_concurrent(entry.code.parse().into_iter().collect());
    // Isolation marks would show as boxes in plain text; pages isolate with `<bdi>`.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    bundle
}

impl Language {
    pub fn english() -> Self {
        Self(&ENTRIES[0])
    }
    pub fn all() -> impl Iterator<Item = Self> {
        ENTRIES.iter().map(Self)
    }
    /// By its code, in any case, with or without a region: `de`, `DE-ch`, `pt_BR`.
    pub fn parse(code: &str) -> Option<Self> {
        let primary = code.split(['-', '_']).next()?.trim();
        Self::all().find(|language| language.code().eq_ignore_ascii_case(primary))
    }
    /// The best of an Accept-Language header (RFC 9110 §12.5.4); English when none of ours is asked for.
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',').take(32) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality =
                parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok()).unwrap_or(0.0);
            let language = if tag.trim() == "*" { Some(Self::english()) } else { Self::parse(tag.trim()) };
            if let Some(language) = language
                && quality > best.map_or(0.0, |(quality, _)| quality)
            {
                best = Some((quality, language));
            }
        }
        best.map_or_else(Self::english, |(_, language)| language)
    }
    pub const fn code(self) -> &'static str {
        self.0.code
    }
    pub const fn own_name(self) -> &'static str {
        self.0.own_name
    }
    /// `rtl` or `ltr`, for the attribute of that name.
    pub fn direction(self) -> &'static str {
        if self.code() == "ar" { "rtl" } else { "ltr" }
    }
    /// The text of `key`.
    pub fn say(self, key: &str) -> String {
        self.say_with(key, &[])
    }
    /// The text of `key` with its places filled.
    pub fn say_with(self, key: &str, values: &[(&'static str, Value)]) -> String {
        let mut arguments = FluentArgs::with_capacity(values.len());
        for (name, value) in values {
            match value {
                Value::Text(text) => arguments.set(*name, FluentValue::from(text.as_str())),
                Value::Count(count) => arguments.set(*name, FluentValue::from(*count)),
            }
        }
        let place = ENTRIES.iter().position(|entry| entry.code == self.code()).unwrap_or(0);
        [place, 0].into_iter().find_map(|place| format(place, key, &arguments)).unwrap_or_default()
    }
    /// Whether any of our catalogues has `key`.
    pub fn knows(key: &str) -> bool {
        BUNDLES.first().is_some_and(|english| english.has_message(key))
    }
}

fn format(place: usize, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
    let bundle = BUNDLES.get(place)?;
    let pattern = bundle.get_message(key)?.value()?;
    let mut errors = Vec::new();
    Some(bundle.format_pattern(pattern, Some(arguments), &mut errors).into_owned())
}

/// What goes into a place of a text.
#[derive(Debug, Clone)]
pub enum Value {
    Text(String),
    /// Decides the plural.
    Count(u64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}
impl Eq for Language {}
impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Key to the names of the places in its text.
    fn keys(code: &str) -> BTreeMap<String, Vec<String>> {
        let entry = ENTRIES.iter().find(|entry| entry.code == code).unwrap();
        let mut found = BTreeMap::new();
        let mut current = None;
        for line in entry.catalogue.lines() {
            if !line.starts_with([' ', '#', '}', '*', '['])
                && let Some((key, _)) = line.split_once(" =")
            {
                current = Some(key.to_owned());
                assert!(found.insert(key.to_owned(), Vec::new()).is_none(), "{code}: {key} twice");
            }
            if let Some(places) = current.as_ref().and_then(|key| found.get_mut(key)) {
                let names =
                    line.split('$').skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap());
                places.extend(names.map(str::to_owned));
            }
        }
        for places in found.values_mut() {
            places.sort();
            places.dedup();
        }
        found
    }

    #[test]
    fn english_and_german_say_the_same_things() {
        assert_eq!(keys("en"), keys("de"));
    }

    #[test]
    fn every_catalogue_parses_and_has_no_key_that_english_lacks() {
        let english = keys("en");
        for entry in ENTRIES {
            assert!(FluentResource::try_new(entry.catalogue.to_owned()).is_ok(), "{}", entry.code);
            assert!(entry.code.parse::<unic_langid::LanguageIdentifier>().is_ok());
            for (key, places) in keys(entry.code) {
                assert_eq!(english.get(&key), Some(&places), "{}: {key}", entry.code);
            }
        }
    }

    #[test]
    fn the_best_language_of_the_browser_is_found() {
        for (header, code) in [
            ("", "en"),
            ("de-CH,de;q=0.9,en;q=0.8", "de"),
            ("en;q=0.5,uk;q=0.9", "uk"),
            ("xx,yy;q=0.9", "en"),
            ("xx,fr;q=0.1", "fr"),
            ("zh-Hant-TW", "zh"),
            ("de;q=0,en;q=0.1", "en"),
            ("*", "en"),
            (";;;,,,q=", "en"),
            ("DE", "de"),
        ] {
            assert_eq!(Language::negotiate(header).code(), code, "{header:?}");
        }
    }

    #[test]
    fn a_key_missing_in_a_language_is_said_in_english() {
        for language in Language::all() {
            for key in keys("en").keys() {
                assert!(!language.say(key).is_empty(), "{language:?} {key}");
            }
        }
        let german = Language::parse("de").unwrap();
        assert_eq!(german.say_with("pictures", &[("count", 1.into())]), "1 Bild");
        assert_eq!(german.say_with("pictures", &[("count", 210.into())]), "210 Bilder");
        assert_eq!(german.say("no-such-key"), "");
    }
}
