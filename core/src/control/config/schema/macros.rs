//! Keys whose names are those of the fields that keep them, in a line.

/// A key whose name is that of the field that keeps its whole number.
macro_rules! int {
    ($field:ident: $int:ty, $min:expr, $max:expr, $unit:literal, $doc:literal) => {
        $crate::control::config::schema::Key {
            name: stringify!($field),
            unit: $unit,
            doc: $doc,
            shape: $crate::control::config::schema::Shape::Int {
                min: $min as u64,
                max: $max as u64,
                get: |c| Some(u64::from(c.$field)),
                // The bounds are within the type.
                set: |c, v| c.$field = v as $int,
            },
        }
    };
}

/// The same for a share, a rate or another number with a fraction.
macro_rules! float {
    ($field:ident, $min:expr, $max:expr, $unit:literal, $doc:literal) => {
        $crate::control::config::schema::Key {
            name: stringify!($field),
            unit: $unit,
            doc: $doc,
            shape: $crate::control::config::schema::Shape::Float {
                min: $min,
                max: $max,
                get: |c| Some(c.$field),
                set: |c, v| c.$field = v,
            },
        }
    };
}

/// The same for a switch.
macro_rules! switch {
    ($field:ident, $doc:literal) => {
        $crate::control::config::schema::Key {
            name: stringify!($field),
            unit: "",
            doc: $doc,
            shape: $crate::control::config::schema::Shape::Bool { get: |c| c.$field, set: |c, v| c.$field = v },
        }
    };
}

/// The same for one of a few words.
macro_rules! word {
    ($field:ident: $words:ty, $doc:literal) => {
        $crate::control::config::schema::Key {
            name: stringify!($field),
            unit: "",
            doc: $doc,
            shape: $crate::control::config::schema::Shape::Word {
                words: <$words>::WORDS,
                get: |c| Some(c.$field.as_str()),
                set: |c, word| c.$field = <$words>::of(word).unwrap_or_default(),
            },
        }
    };
}

/// A choice of a few words, the first of which is the default.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            pub(in crate::control::config) const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it in every language.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub(in crate::control::config) fn of(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// A key whose name is that of the field that keeps its section.
macro_rules! section {
    ($form:ident $field:ident, $doc:literal) => {
        $crate::control::config::schema::Key {
            name: stringify!($field),
            unit: "",
            doc: $doc,
            shape: $crate::control::config::schema::Shape::Own(&$crate::control::config::schema::$form {
                get: |c: &Self| &c.$field,
                get_mut: |c| &mut c.$field,
            }),
        }
    };
}
pub(in super::super) use {float, int, section, switch, word, words};
