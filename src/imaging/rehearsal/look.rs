//! What a rehearsal picture shows: a subject before a backdrop in a light.
//!
//! In: seeds and the words of a prompt. Out: a [`Look`], small enough to travel in the file's metadata, so that an edit knows what it edits.
//! Never: pixels.

use std::fmt;

use super::brush::{Dice, Rgb};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal : [$($also:literal),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            /// All of them, in the order that seeds count.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name in metadata.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Returns the one that a word of a prompt asks for.
            pub fn named(word: &str) -> Option<Self> {
                match word { $($word $(| $also)* => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Silhouette of the product.
    Form {
        /// Slim, with a cap and a label.
        Bottle = "bottle": ["carafe", "flask", "wine", "oil", "shampoo", "decanter"],
        /// With a handle.
        Mug = "mug": ["cup", "espresso", "tumbler", "stein", "beaker"],
        /// With spout, handle and lid.
        Teapot = "teapot": ["kettle", "jug", "pitcher", "coffeepot"],
        /// Curved, open.
        Vase = "vase": ["urn", "planter", "amphora", "flowerpot"],
        /// With a lid and a label.
        Jar = "jar": ["honey", "jam", "balm", "candle", "tin"],
        /// With three visible sides.
        Box = "box": ["carton", "package", "book", "soap", "crate", "parcel"],
        /// Round.
        Ball = "ball": ["sphere", "globe", "orb", "ornament", "bauble"],
        /// Square shoulders and a stopper.
        Flacon = "flacon": ["perfume", "fragrance", "lotion", "serum", "cologne"],
        /// A shade on a foot.
        Lamp = "lamp": ["lantern", "lampshade"],
        /// Low and wide.
        Bowl = "bowl": ["dish", "plate", "saucer", "pan"],
        /// With two handles.
        Bag = "bag": ["tote", "handbag", "backpack", "purse", "towel", "scarf", "shirt", "tee"],
        /// A photo of the author's, as a print: its subject is not ours to draw.
        Card = "card": [],
    }
}

words! {
    /// What stands behind and under the subject.
    Decor {
        /// A studio sweep without a horizon.
        Sweep = "sweep": ["seamless", "studio", "packshot", "cyclorama", "infinity"],
        /// An arch on the wall.
        Arch = "arch": ["arches", "niche", "alcove"],
        /// Light that falls through a window.
        Window = "window": ["windows", "blinds", "sunbeam"],
        /// Wooden boards.
        Planks = "planks": ["oak", "wood", "wooden", "walnut", "pine", "timber", "teak", "ash", "tabletop"],
        /// A disc behind the subject, water before it.
        Sun = "sun": ["beach", "sea", "ocean", "seaside", "lake", "coast"],
        /// A slab with veins.
        Stone = "stone": ["travertine", "marble", "slate", "granite", "concrete", "terrazzo", "limestone"],
        /// A round pedestal.
        Plinth = "plinth": ["pedestal", "podium", "dais"],
        /// Folds of cloth.
        Linen = "linen": ["cloth", "fabric", "cotton", "silk", "velvet", "wool", "satin", "blanket"],
        /// Leaves at the edges.
        Leaves = "leaves": ["leaf", "garden", "plants", "botanical", "jungle", "forest", "fern", "palm", "moss"],
        /// A curtain.
        Curtain = "curtain": ["drape", "drapes", "stage", "theatre"],
    }
}

words! {
    /// The light.
    Light {
        /// Neither warm nor dim.
        Day = "day": ["daylight", "neutral", "noon"],
        /// Low and golden.
        Evening = "evening": ["sunset", "dusk", "golden", "afternoon", "candlelight", "warm"],
        /// Dim and blue.
        Night = "night": ["midnight", "moonlight", "moody", "dark", "noir"],
        /// Pale and cool.
        Morning = "morning": ["dawn", "frost", "winter", "foggy", "misty", "cool"],
    }
}

words! {
    /// Where the camera stands.
    View {
        /// At eye level.
        Front = "front": ["straight", "frontal"],
        /// From a side.
        Quarter = "quarter": ["angled", "perspective", "oblique", "3q"],
        /// From the other side.
        Side = "side": ["profile", "back", "rear", "left", "right"],
        /// Near.
        Detail = "detail": ["closeup", "close", "macro", "zoom"],
        /// From afar, the subject small.
        Wide = "wide": ["overhead", "top", "lifestyle", "scene", "above"],
    }
}

/// Colours of products.
const BODIES: [Rgb; 12] = [
    [0xc4, 0x62, 0x3f], // terracotta
    [0x8a, 0xa3, 0x86], // sage
    [0x2f, 0x58, 0x9e], // cobalt
    [0xd6, 0xa2, 0x2f], // mustard
    [0xde, 0x9d, 0x9a], // blush
    [0x3c, 0x40, 0x48], // charcoal
    [0xea, 0xe0, 0xcf], // cream
    [0x2f, 0x5f, 0x4f], // forest
    [0x70, 0x3d, 0x60], // plum
    [0x7f, 0xae, 0xcf], // sky
    [0xe0, 0x5f, 0x4f], // coral
    [0x2a, 0x87, 0x88], // teal
];

fn body_named(word: &str) -> Option<usize> {
    Some(match word {
        "terracotta" | "orange" | "copper" | "rust" | "clay" => 0,
        "sage" | "olive" | "khaki" | "celadon" => 1,
        "blue" | "cobalt" | "navy" | "indigo" => 2,
        "yellow" | "mustard" | "gold" | "brass" | "amber" => 3,
        "pink" | "blush" | "rose" => 4,
        "black" | "charcoal" | "graphite" | "iron" => 5,
        "white" | "cream" | "ivory" | "porcelain" => 6,
        "green" | "emerald" => 7,
        "purple" | "plum" | "violet" | "aubergine" => 8,
        "sky" | "turquoise" | "glass" => 9,
        "red" | "coral" | "scarlet" => 10,
        "teal" | "petrol" => 11,
        _ => return None,
    })
}

/// Walls and floors.
const GROUNDS: [(Rgb, Rgb); 10] = [
    ([0xf1, 0xe8, 0xda], [0xd8, 0xc6, 0xab]), // sand
    ([0xdf, 0xe8, 0xee], [0xb4, 0xc7, 0xd4]), // mist
    ([0xf5, 0xe0, 0xd9], [0xe0, 0xb9, 0xad]), // rose
    ([0xe1, 0xea, 0xdc], [0xb4, 0xc6, 0xa9]), // meadow
    ([0xe8, 0xe2, 0xf0], [0xc1, 0xb4, 0xd6]), // lilac
    ([0xf8, 0xec, 0xc8], [0xe3, 0xcc, 0x90]), // butter
    ([0xe6, 0xb9, 0x9c], [0xc4, 0x87, 0x64]), // adobe
    ([0xd5, 0xed, 0xe4], [0xa3, 0xcf, 0xbf]), // mint
    ([0xef, 0xee, 0xeb], [0xcf, 0xcd, 0xc8]), // paper
    ([0xa9, 0xbd, 0xc9], [0x73, 0x8b, 0x9b]), // storm
];

/// Everything that determines what a rehearsal picture shows, except its words and its exact place of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Silhouette.
    pub form: Form,
    /// Index of the product's colour.
    body: u8,
    /// Index of its second colour.
    accent: u8,
    /// What is behind it.
    pub decor: Decor,
    /// Index of wall and floor.
    ground: u8,
    /// The light.
    pub light: Light,
    /// The camera.
    pub view: View,
    /// How many pictures this one was made from, one after the other.
    pub chain: u8,
    /// Width of a card in thousandths of its height.
    pub card_permille: u16,
}

/// Where the parts of a look come from: numbers, and words that may say it outright.
#[derive(Debug, Clone, Default)]
pub struct Cues<'a> {
    /// Seed of the subject: the same for all pictures of one product.
    pub subject: u64,
    /// Words about the subject: its line, the value of its axis.
    pub subject_words: &'a str,
    /// Seed of the surroundings: the same for all pictures of one rung.
    pub scene: u64,
    /// Words about the surroundings: the rung first, then the prompt.
    pub scene_words: &'a str,
    /// Value of the axis that moves the camera, if there is one.
    pub view: Option<&'a str>,
}

/// Splits into lower-case words of letters and digits.
fn words_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Returns what the first telling word stands for, also in the plural.
fn told<T>(text: &str, meaning: impl Fn(&str) -> Option<T>) -> Option<T> {
    words_of(text).find_map(|word| meaning(&word).or_else(|| word.strip_suffix('s').and_then(&meaning)))
}

impl Look {
    /// Returns the look of a picture from words alone.
    pub fn new(cues: &Cues<'_>) -> Self {
        let mut dice = Dice::new(cues.subject);
        let drawn = Form::ALL.len() - 1;
        let form = Form::ALL[dice.below(drawn)];
        let body = dice.below(BODIES.len());
        let body = told(cues.subject_words, body_named).unwrap_or(body);
        let accent = (body + 1 + dice.below(BODIES.len() - 1)) % BODIES.len();
        let mut look = Self {
            form: told(cues.subject_words, Form::named).filter(|form| *form != Form::Card).unwrap_or(form),
            body: body as u8,
            accent: accent as u8,
            decor: Decor::Sweep,
            ground: 0,
            light: Light::Day,
            view: cues.view.map_or(View::Front, view_of),
            chain: 1,
            card_permille: 1000,
        };
        look.set_scene(cues);
        look
    }

    /// Returns the look after an edit: the subject stays, and of the surroundings what the words do not change.
    #[must_use]
    pub fn edited(mut self, cues: &Cues<'_>) -> Self {
        let before = self;
        self.chain = self.chain.saturating_add(1);
        self.set_scene(cues);
        let (decor, light) = (told(cues.scene_words, Decor::named), told(cues.scene_words, Light::named));
        if decor.is_none() && light.is_some() {
            // "The same scene in the evening": only the light is another.
            (self.decor, self.ground) = (before.decor, before.ground);
        }
        if let Some(view) = cues.view {
            self.view = view_of(view);
        }
        self
    }

    /// Returns the look of a picture made from a photo, `width` to `height`, which it shows as a print.
    #[must_use]
    pub fn with_card(mut self, width: u32, height: u32) -> Self {
        self.form = Form::Card;
        self.chain = 2;
        self.card_permille = (u64::from(width) * 1000 / u64::from(height.max(1))).clamp(250, 4000) as u16;
        self
    }

    fn set_scene(&mut self, cues: &Cues<'_>) {
        let mut dice = Dice::new(cues.scene);
        let decor = Decor::ALL[dice.below(Decor::ALL.len())];
        self.ground = dice.below(GROUNDS.len()) as u8;
        self.decor = told(cues.scene_words, Decor::named).unwrap_or(decor);
        self.light = told(cues.scene_words, Light::named).unwrap_or(Light::Day);
    }

    /// Returns the product's colours in this light.
    pub fn product(&self) -> (Rgb, Rgb) {
        (self.lit(BODIES[usize::from(self.body) % BODIES.len()]), self.lit(BODIES[usize::from(self.accent) % BODIES.len()]))
    }

    /// Returns wall and floor in this light.
    pub fn ground(&self) -> (Rgb, Rgb) {
        let (wall, floor) = GROUNDS[usize::from(self.ground) % GROUNDS.len()];
        let floor = match self.decor {
            Decor::Planks => super::brush::blend(floor, [0xb9, 0x88, 0x57], 0.75),
            Decor::Stone => super::brush::blend(floor, [0xd9, 0xd2, 0xc6], 0.6),
            Decor::Sun => super::brush::blend(floor, [0x7f, 0xa9, 0xbd], 0.7),
            _ => floor,
        };
        (self.lit(wall), self.lit(floor))
    }

    /// Returns a colour in this light.
    pub fn lit(&self, color: Rgb) -> Rgb {
        use super::brush::blend;
        match self.light {
            Light::Day => color,
            Light::Evening => blend(blend(color, [0xf0, 0x8a, 0x3c], 0.20), [0x3a, 0x14, 0x2a], 0.10),
            Light::Night => blend(color, [0x12, 0x18, 0x38], 0.62),
            Light::Morning => blend(color, [0xdc, 0xe9, 0xf6], 0.32),
        }
    }
}

/// Returns the camera for an axis value: by its words, otherwise any but the plain front.
fn view_of(value: &str) -> View {
    told(value, View::named).unwrap_or_else(|| {
        let seed = value.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        View::ALL[1 + Dice::new(seed).below(View::ALL.len() - 1)]
    })
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, body, accent, decor, ground, light, view, chain, card_permille } = self;
        let (form, decor, light, view) = (form.as_str(), decor.as_str(), light.as_str(), view.as_str());
        write!(f, "{form} {body} {accent} {decor} {ground} {light} {view} {chain} {card_permille}")
    }
}

impl Look {
    /// Reads what `Display` wrote; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let mut next = || parts.next();
        let look = Self {
            form: Form::named(next()?)?,
            body: next()?.parse().ok()?,
            accent: next()?.parse().ok()?,
            decor: Decor::named(next()?)?,
            ground: next()?.parse().ok()?,
            light: Light::named(next()?)?,
            view: View::named(next()?)?,
            chain: next()?.parse().ok()?,
            card_permille: next()?.parse().ok()?,
        };
        next().is_none().then_some(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cues<'a>(subject_words: &'a str, scene_words: &'a str) -> Cues<'a> {
        Cues { subject: 5, subject_words, scene: 9, scene_words, view: None }
    }

    #[test]
    fn words_of_the_prompt_are_drawn() {
        let look = Look::new(&cues("A red teapot in stoneware", "on a pale oak tabletop in evening light"));
        assert_eq!((look.form, look.decor, look.light), (Form::Teapot, Decor::Planks, Light::Evening));
        assert_eq!(BODIES[usize::from(look.body)], BODIES[10]);
    }

    #[test]
    fn an_edit_keeps_the_subject_and_changes_only_the_light_when_only_light_is_asked() {
        let oak = Look::new(&cues("teapot", "on oak"));
        let evening = oak.edited(&Cues { scene: 77, ..cues("", "the same scene in warm late-afternoon light") });
        assert_eq!((evening.form, evening.body, evening.decor, evening.ground), (oak.form, oak.body, oak.decor, oak.ground));
        assert_eq!((evening.light, evening.chain), (Light::Evening, 2));
        let linen = evening.edited(&cues("", "on washed linen cloth"));
        assert_eq!((linen.form, linen.decor, linen.chain), (Form::Teapot, Decor::Linen, 3));
    }

    #[test]
    fn a_look_survives_its_metadata() {
        for form in Form::ALL {
            let look = Look { form: *form, ..Look::new(&cues("", "")).with_card(4, 5) };
            let look = Look { form: *form, ..look };
            assert_eq!(Look::parse(&look.to_string()), Some(look));
        }
        for text in ["", "teapot", "teapot 1 2 oak", "spaceship 1 2 sweep 1 day front 1 1000", "box 1 2 sweep 1 day front 1 1000 more"] {
            assert_eq!(Look::parse(text), None, "{text}");
        }
    }
}
