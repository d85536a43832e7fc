//! Short captions: what somebody says when they feel something, and mumbling that says nothing.
//!
//! Both kinds share their fillers and everyday topics, so that only the words of the feeling tell.

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::Mood;

/// What somebody says about the matter: a beginning, and one of the everyday topics or an end of its own.
struct Phrases {
    cries: &'static [&'static str],
    claims: &'static [&'static str],
    ends: &'static [&'static str],
}

const FILLERS: [&str; 8] = ["well", "so", "you know", "look", "I mean", "honestly", "um", "listen"];

const TOPICS: [&str; 14] = [
    "about the meeting",
    "with the neighbours",
    "at the office",
    "on the phone",
    "after the game",
    "in the kitchen",
    "about my brother",
    "with the car",
    "at the station",
    "about the letter",
    "on the stairs",
    "with the dog",
    "about the party",
    "at school",
];

const MUMBLES: [&str; 14] = [
    "that thing from before",
    "you know how it goes",
    "or something like that",
    "whatever it was",
    "and so on",
    "it is what it is, I guess",
    "the other one, maybe",
    "some of this and that",
    "as I was saying",
    "what was it again",
    "anyway, the usual",
    "sort of, more or less",
    "let me think",
    "where was I",
];

fn phrases(mood: Mood) -> Phrases {
    let (cries, claims, ends): (&[&str], &[&str], &[&str]) = match mood {
        Mood::Anger => (
            &["enough", "how dare you", "stop it right now", "shut up", "get out", "damn it"],
            &[
                "I am furious",
                "this is an outrage",
                "you lied to me again",
                "I am sick of your excuses",
                "I hate this stupid mess",
                "he makes me so angry",
                "they cheated us",
                "I won't stand for this",
            ],
            &["and I demand an apology", "you will regret it", "it is your fault", "I could scream with rage"],
        ),
        Mood::Disgust => (
            &["yuck", "ew", "ugh", "gross", "take it away"],
            &[
                "that smells rotten",
                "the milk is mouldy",
                "this is revolting",
                "it tastes foul",
                "there is slime all over it",
                "what a filthy, sticky sink",
                "it makes me want to vomit",
                "that is the most disgusting stench",
            ],
            &["it turns my stomach", "I feel nauseous", "don't touch that filth", "I can't swallow it"],
        ),
        Mood::Fear => (
            &["help", "oh no", "hide", "don't leave me alone", "please, run"],
            &[
                "I am so scared",
                "somebody is following me",
                "there is something in the dark",
                "my hands are shaking",
                "I am terrified",
                "it could be dangerous",
                "I heard footsteps",
                "I am afraid of falling",
            ],
            &["what if it comes back", "I panic every time", "we are not safe", "my heart is racing with dread"],
        ),
        Mood::Happiness => (
            &["hooray", "yes", "lovely", "how wonderful", "great news"],
            &[
                "I am so happy",
                "we won the prize",
                "this is the best day",
                "I love it",
                "everybody laughed and danced",
                "what a delightful present",
                "she is having a baby, congratulations",
                "the sun is out and I feel fantastic",
            ],
            &["I could hug everyone", "it makes me smile", "let's celebrate", "such a joy"],
        ),
        Mood::Neutral => (
            &["for the record", "as planned", "to summarize", "according to the list", "please note"],
            &[
                "the bus leaves at nine",
                "the report has ten pages",
                "the office is on the second floor",
                "the form needs a signature",
                "the shop opens on Monday",
                "the table is two metres long",
                "the train stops here every hour",
                "the box contains twelve screws",
            ],
            &[
                "the number is printed below",
                "as the schedule says",
                "the address has not changed",
                "per the instructions",
            ],
        ),
        Mood::Sadness => (
            &["alas", "I am sorry", "goodbye", "it hurts", "poor thing"],
            &[
                "I miss her so much",
                "he is gone forever",
                "I feel so lonely",
                "I cried all night",
                "we lost everything",
                "my heart is broken",
                "it will never be the same",
                "nobody came to the funeral",
            ],
            &["I have no hope left", "tears won't stop", "I grieve every day", "it makes me so sad"],
        ),
        Mood::Surprise => (
            &["wow", "what", "no way", "oh my goodness", "really"],
            &[
                "I never expected that",
                "it appeared out of nowhere",
                "you did what",
                "I can't believe my eyes",
                "all of a sudden it exploded",
                "who would have guessed",
                "that was completely unexpected",
                "is that actually you",
            ],
            &["I am astonished", "it took me by surprise", "I am speechless", "how is that even possible"],
        ),
    };
    Phrases { cries, claims, ends }
}

fn one<'a>(of: &[&'a str], rng: &mut Pcg64Mcg) -> &'a str {
    of[rng.random_range(0..of.len())]
}

/// One caption; `telling` is whether its words say anything.
pub(super) fn write(mood: Mood, telling: bool, rng: &mut Pcg64Mcg) -> String {
    let mut parts = Vec::new();
    if rng.random_bool(if telling { 0.4 } else { 0.9 }) {
        parts.push(one(&FILLERS, rng).to_owned());
    }
    if telling {
        let Phrases { cries, claims, ends } = phrases(mood);
        if rng.random_bool(0.6) {
            parts.push(one(cries, rng).to_owned());
        }
        let topic = if rng.random_bool(0.4) { format!(" {}", one(&TOPICS, rng)) } else { String::new() };
        parts.push(format!("{}{topic}", one(claims, rng)));
        if rng.random_bool(0.45) {
            parts.push(one(ends, rng).to_owned());
        }
    } else {
        let first = rng.random_range(0..MUMBLES.len());
        let second = (first + rng.random_range(1..MUMBLES.len())) % MUMBLES.len();
        parts.push(MUMBLES[first].to_owned());
        if rng.random_bool(0.4) {
            parts.push(one(&TOPICS, rng).to_owned());
        }
        if rng.random_bool(0.5) {
            parts.push(one(&FILLERS, rng).to_owned());
        }
        if rng.random_bool(0.7) {
            parts.push(MUMBLES[second].to_owned());
        }
    }
    let mut caption = parts.join(", ");
    if let Some(first) = caption.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    let end = match (telling, mood) {
        (false, _) => "…",
        (true, Mood::Anger | Mood::Surprise | Mood::Happiness) if rng.random_bool(0.4) => "!",
        (true, _) => ".",
    };
    caption + end
}
