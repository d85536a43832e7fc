//! The tiny copies of the layouts of corpora that lie beside this file, as `make.rs` writes them.
//!
//! Nothing in them is of the corpora: names and columns are as published, sound and films are a few bytes, pictures are
//! grey, annotations are invented.

// Without the path, a test that includes this file by its path would look for it elsewhere than the example.
#[path = "pictures.rs"]
mod pictures;

use pictures::{checksum, jpeg, png};

/// A file: its path and its content.
pub type File = (String, Vec<u8>);

/// All copies, each in a folder called like the importer that reads it.
pub fn layouts() -> Vec<File> {
    let mut files = Vec::new();
    let mut layout = |name: &str, inner: Vec<File>| {
        files.extend(inner.into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
    };
    layout("dfew", dfew());
    layout("ferv39k", ferv39k());
    layout("mafw", mafw());
    layout("frame-lists", frame_lists());
    layout("path-lists", path_lists());
    layout("crema-d", crema_d());
    layout("msp-improv", msp_improv());
    layout("iemocap", iemocap());
    layout("ravdess", ravdess());
    layout("mosi-utterances", mosi_utterances());
    layout("sequences", sequences());
    layout("mmsa", mmsa_films());
    layout("affectnet", affectnet());
    layout("affectnet/first", affectnet_lists());
    layout("fer-plus", fer_plus());
    layout("fer2013", fer2013());
    layout("meld", meld());
    layout("tweet-eval", tweet_eval());
    layout("go-emotions", go_emotions());
    layout("kaldi", kaldi());
    // The sequences themselves are made by `make_csd.py`.
    layout("csd", vec![file("train.txt", "-3g5yACwYnA\n"), file("test.txt", "_dI--eQ6qVU\n")]);
    layout("csv", csv());
    layout("emo-db", media("wav/", &["03a01Fa.wav", "03a01Wa.wav", "08a02Nc.wav", "09b10Lb.wav", "readme.wav"]));
    layout("savee", media("AudioData/", &["DC/a01.wav", "DC/sa15.wav", "JE/a01.wav", "JE/su02.wav", "KL/n30.wav"]));
    layout(
        "enterface",
        media(
            "",
            &[
                "subject 1/anger/sentence 1/s1_an_1.avi",
                "subject 1/surprise/sentence 5/s1_su_5.avi",
                "subject 12/anger/sentence 2/s12_an_2.avi",
            ],
        ),
    );
    files
}

fn file(path: impl Into<String>, content: impl AsRef<[u8]>) -> File {
    (path.into(), content.as_ref().to_vec())
}

/// Files that hold their own names, so that no two are the same; pictures can be opened.
fn media(folder: &str, names: &[&str]) -> Vec<File> {
    let content = |name: &str| match name.rsplit_once('.') {
        Some((_, "jpg")) => jpeg(name),
        Some((_, "png")) => png(name),
        _ => name.as_bytes().to_vec(),
    };
    names.iter().map(|name| file(format!("{folder}{name}"), content(name))).collect()
}

fn dfew() -> Vec<File> {
    let mut files = media("Clip/original/", &["part_1/1.mp4", "part_1/2.mp4", "part_2/3.mp4", "part_2/4.mp4", "5.mp4"]);
    files.extend(media("Clip/original/audio/", &["1.wav", "2.wav"]));
    files.extend(media(
        "Clip/clip_224x224/",
        &["00001/00001_00001.jpg", "00002/00002_00001.jpg", "00004/00004_00001.jpg"],
    ));
    files.extend(media("Clip/clip_224x224_16f/", &["00001/1.jpg"]));
    for (fold, train, test) in
        [(1, "1,1\r\n2,4\r\n00003,7\r\n7,1\r\n4,9\r\n", "4,1\n5,4"), (2, "4,1\n5,4\n", "1,1\n2,4\n")]
    {
        files.push(file(
            format!("EmoLabel_DataSplit/train(single-labeled)/set_{fold}.csv"),
            format!("video_name,label\n{train}"),
        ));
        files.push(file(
            format!("EmoLabel_DataSplit/test(single-labeled)/set_{fold}.csv"),
            format!("video_name,label\n{test}"),
        ));
    }
    files
}

fn ferv39k() -> Vec<File> {
    let mut files =
        media("2_ClipsforFaceCrop/", &["Action/Sad/0010/0.jpg", "Action/Happy/0267/0.jpg", "War/Fear/0002/0.jpg"]);
    files.extend(media("3_ClipsforScenImages/", &["Action/Sad/0010/s.jpg", "Action/Happy/0267/s.jpg"]));
    files.push(file(
        "4_setups/All_scenes/train_All.csv",
        "Action/Sad/0010 Sad\r\nAction\\Happy\\0267 Happy\r\nWar/Fear/0001 Fear\r\n",
    ));
    files.push(file("4_setups/All_scenes/test_All.csv", "War/Fear/0002 Fear\nWar/Bored/0003 Bored"));
    files
}

fn mafw() -> Vec<File> {
    let mut files = media("data/clips/", &["00001.mp4", "00002.mp4", "00003.mp4", "00004.mp4"]);
    files.extend(media("data/faces/", &["00001/1.png", "00002/1.png"]));
    let set = "Train & Test Set/single/with_caption/set_1";
    // A curly apostrophe in Windows-1252; Chinese in GBK; no line feed at the end.
    files.push(file(
        format!("{set}/train.txt"),
        b"00001.mp4\tanger\t\xC5\xAE\tA woman doesn\x92t listen.\n00002.mp4\thappiness\t\xE5\xA5\xB3\tA man smiles.\n00003.mp4\tneutral\t\t".as_slice(),
    ));
    files.push(file(
        format!("{set}/test.txt"),
        "00004.mp4\tdisappointment\t\u{5973}\tShe sighs.\n00009.mp4\tanger\t\t\n",
    ));
    files.push(file(
        "Labels/descriptive_text.xlsx",
        xlsx(&[("Sheet1", &[&[Cell::Text("00003.mp4"), Cell::Text("\u{5973}"), Cell::Text("She waits.")]])]),
    ));
    let emotions = [
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
    ];
    let header: Vec<Cell<'_>> = ["clip", "invalid"].into_iter().chain(emotions).map(Cell::Text).collect();
    let mut votes = vec![Cell::Number(0.0); 13];
    (votes[0], votes[2], votes[3]) = (Cell::Text("00001.mp4"), Cell::Number(3.0), Cell::Number(1.0));
    files.push(file("Labels/annotation.xlsx", xlsx(&[("Sheet1", &[&header, &votes])])));
    files.push(file(
        "Labels/single-set.xlsx",
        xlsx(&[(
            "Sheet1",
            &[
                &[Cell::Text("clip"), Cell::Text("single_label")],
                &[Cell::Text("00001.mp4"), Cell::Number(1.0)],
                &[Cell::Number(2.0), Cell::Number(4.0)],
                &[Cell::Text("00003.mp4"), Cell::Number(12.0)],
            ],
        )]),
    ));
    let set = "Train & Test Set/compound/no_caption/set_1";
    files.push(file(format!("{set}/train.txt"), "00001.mp4 anger_disgust\n00002.mp4 happiness_surprise\n"));
    files.push(file(format!("{set}/test.txt"), "00003.mp4 anger_disgust"));
    files
}

fn frame_lists() -> Vec<File> {
    let mut files = media("dfew/clip_224x224/", &["02522/1.jpg", "00001/1.jpg", "00002/1.jpg"]);
    files.extend(media("mfaw/clips_faces/", &["03747/1.png", "00025/1.png", "00026/1.png"]));
    let dfew = "/scratch/somebody/dfer datasets/dfew/clip_224x224";
    files.push(file(
        "annotation/DFEW_set_1_train.txt",
        format!("{dfew}/02522 66 5\n{dfew}/00001 11 1\n{dfew}/00003 60 1\n{dfew}/00002 60 7\n"),
    ));
    files.push(file("annotation/DFEW_set_1_test.txt", format!("{dfew}/00002 70 2")));
    let mafw = "/scratch/somebody/mfaw/clips_faces";
    files.push(file("annotation/MAFW_set_1_train.txt", format!("{mafw}/03747 103 3\n{mafw}/00025 46 10\n")));
    files.push(file("annotation/MAFW_set_1_test.txt", format!("{mafw}/00026 46 3")));
    files
}

fn path_lists() -> Vec<File> {
    let mut files = media("data/frames/", &["00025/1.jpg", "00025/2.jpg", "00028/1.jpg", "00108/1.jpg", "00137/1.jpg"]);
    files.extend(media("data/audio_16k/", &["00025.wav", "00028.wav", "00123.wav"]));
    let line = |clip: &str, label: u32| {
        let (frames, audio) = ("/data/somebody/MAFW/data/frames", "/data/somebody/MAFW/audio_16k");
        format!("{frames}/{clip} {audio}/{clip}.wav {label}\n")
    };
    let train = [line("00028", 4), line("00108", 10), line("00999", 1), "00025 5 3 x\n".to_owned()].concat();
    files.push(file("audio_visual/single/split01/train.csv", train));
    let test = [line("00025", 0), line("00123", 2)].concat();
    files.push(file("audio_visual/single/split01/val.csv", &test));
    files.push(file("audio_visual/single/split01/test.csv", &test));
    let train = [line("00025", 0), line("00137", 2)].concat();
    files.push(file("audio_visual/single/split02/train.csv", train));
    files.push(file("audio_visual/single/split02/test.csv", line("00028", 4)));
    files
}

fn crema_d() -> Vec<File> {
    let mut files = Vec::new();
    for actor in 1001..=1005 {
        for take in ["DFA_ANG_XX", "IEO_HAP_HI"] {
            let name = format!("{actor}_{take}");
            files.extend(media("AudioWAV/", &[&format!("{name}.wav")]));
            files.extend(media("VideoFlash/", &[&format!("{name}.flv")]));
        }
    }
    files.extend(media("AudioWAV/", &["1076_MTI_SAD_XX.wav", "notes.wav"]));
    let table = "\"\",\"FileName\",\"VoiceVote\",\"VoiceLevel\",\"FaceVote\",\"FaceLevel\",\"MultiModalVote\",\"MultiModalLevel\"\n\
                 \"1\",\"1001_DFA_ANG_XX\",\"A\",65,\"A\",60,\"A\",70\n\
                 \"2\",\"1001_IEO_HAP_HI\",\"N\",65,\"H\",60,\"H\",70\n\
                 \"3\",\"1002_DFA_ANG_XX\",\"A:D\",65,\"D\",60,\"A:D\",70\n\
                 \"4\",\"1002_IEO_HAP_HI\",\"H\",65,\"H\",60,\"H\",70\n";
    files.push(file("processedResults/summaryTable.csv", table));
    let consensus = "FileName,angry,sad,disgust,fear,neutral,happy,SpkrID,Gender,Split_Set\n\
                     1001_DFA_ANG_XX.wav,0.856,0.01,0.01,0.104,0.01,0.01,1001,Male,Train\n\
                     1002_IEO_HAP_HI.wav,0.01,0.01,0.01,0.104,0.01,0.856,1002,Female,Development\n\
                     1003_DFA_ANG_XX.wav,0.386,0.01,0.01,0.104,0.104,0.386,1003,Female,Test\n\
                     1004_IEO_HAP_HI.wav,0.01,0.01,0.01,0.104,0.01,0.856,1004,Female,Test\n";
    files.push(file("labels_consensus_6class_M/label_consensus_1.csv", consensus));
    files
}

fn msp_improv() -> Vec<File> {
    let turn = |session: u32, actor: &str, emotion: &str| {
        format!("session{session}/S01{emotion}/S/MSP-IMPROV-S01{emotion}-{actor}-S-FM01.wav")
    };
    let turns =
        [turn(1, "F01", "A"), turn(1, "M01", "H"), turn(2, "F02", "N"), turn(3, "M03", "A"), turn(3, "F03", "H")];
    let mut files: Vec<File> = turns.iter().flat_map(|turn| media("Audio/", &[turn])).collect();
    let evaluation = "UTD-IMPROV-S01A-F01-S-FM01.avi; N; A:3.000000; V:3.500000; D:3.000000;\n\
                      \x20\x20rater1; A; ; A:3; V:3;\n\
                      UTD-IMPROV-S01H-M01-S-FM01.avi; H; A:5.000000; V:1.000000; D:9.000000;\n\
                      UTD-IMPROV-S01N-F02-S-FM01.avi; N; A:1.0; V:1.0; D:1.0;\n\
                      UTD-IMPROV-S01A-M03-S-FM01.avi; A; A:4.0; V:2.0; D:4.0;\n\
                      UTD-IMPROV-S01H-F03-S-FM01.avi; X; A:4.0; V:2.0; D:4.0;\n\
                      UTD-IMPROV-S01S-F03-S-FM01.avi; S; A:4.0; V:2.0; D:4.0;\n";
    files.push(file("Evalution.txt", evaluation));
    let consensus = "FileName,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n\
                     MSP-IMPROV-S01A-F01-S-FM01.wav,2.666667,2.333333,3,1,Female,Train\n\
                     MSP-IMPROV-S01H-M01-S-FM01.wav,4,4,3,2,Male,Development\n\
                     MSP-IMPROV-S01N-F02-S-FM01.wav,3,3,3,3,Female,Test\n";
    files.push(file("labels_consensus_EmoP_4class_D/labels_consensus_1.csv", consensus));
    files
}

fn iemocap() -> Vec<File> {
    let mut files = Vec::new();
    for session in [1, 2, 5] {
        let dialogue = format!("Ses0{session}F_impro01");
        let line = |at: u32, turn: &str, code: &str, ratings: &str| {
            format!("[{at}.0000 - {}.5000]\t{dialogue}_{turn}\t{code}\t{ratings}\nC-E2:\tNeutral;\t()\n", at + 1)
        };
        let mut list = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n".to_owned();
        list += &line(1, "F000", "neu", "[2.5000, 2.5000, 2.5000]");
        list += &line(3, "M000", "exc", "[4.0000, 5.0000, 5.5000]");
        list += &line(5, "F001", "fru", "[2.0000, 4.0000, 3.0000]");
        list += &line(7, "M001", "xxx", "[3.0000, 3.0000, 3.0000]");
        files.push(file(format!("Session{session}/dialog/EmoEvaluation/{dialogue}.txt"), list));
        let text =
            format!("{dialogue}_F000 [001.0000-001.5000]: Excuse me.\n{dialogue}_M000 [003.0000-003.5000]: Yeah!\n");
        files.push(file(format!("Session{session}/dialog/transcriptions/{dialogue}.txt"), text));
        for turn in ["F000", "M000", "F001", "M001"].into_iter().filter(|turn| (session, *turn) != (2, "F000")) {
            let name = format!("Session{session}/sentences/wav/{dialogue}/{dialogue}_{turn}.wav");
            files.extend(media("", &[&name]));
        }
    }
    files
}

fn ravdess() -> Vec<File> {
    let mut files = media("audio/", &["Actor_02/03-01-05-01-01-01-02.wav", "Actor_03/03-01-03-01-02-01-03.wav"]);
    files.extend(media("audio/", &["Actor_10/03-01-01-01-01-01-10.wav", "Actor_10/03-02-05-01-01-01-10.wav"]));
    files.extend(media("video/", &["01-01-05-01-01-01-02.mp4", "02-01-03-01-02-01-03.mp4", "notes.mp4"]));
    files.push(file("openface.csv", "AU01_r;AU45_c;speech;name\n0.5;1.0;0.7;01-01-05-01-01-01-02\n0.25;0.0;0.7;01-01-03-01-02-01-03\n0.1;0.0;0.7;01-01-03-01-02-01-03\n"));
    files.push(file("both.csv", "name,au0,au1,mfcc0,mfcc1,mfcc2\n03-01-01-01-01-01-10,1,2,3,4,5\n"));
    files
}

fn mosi_utterances() -> Vec<File> {
    vec![
        file(
            "transcripts_train.csv",
            "utterance_id,video_id,text,label\nv1_1,v1,\"I, LIKED IT\",1\nv1_2,v1,BAD,0\nv2_1,v2,GOOD,1\nv3_1,v3,WORSE,0\n",
        ),
        file("text_train.csv", "\"0.5\",\"1\",\"1\"\n\"0.25\",\"2\",\"0\"\n\"0\",\"3\",\"1\"\n\"1\",\"4\",\"1\"\n"),
        file("audio_train.csv", "1.5,1\n2.5,0\n3.5,1\n4.5,0\n"),
        file("video_train.csv", "1.5,1\n2.5,0\n3.5,1\n"),
    ]
}

fn fer_plus() -> Vec<File> {
    let mut files = media("train/", &["fer0000000.png", "fer0000001.png", "fer0000002.png", "fer0000003.png"]);
    files.extend(media("valid/", &["fer0028638.png", "fer0028639.png"]));
    // One picture is in both.
    files.push(file("valid/fer0028640.png", png("fer0000000.png")));
    let header = "file,box,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n";
    let train = "fer0000000.png,\"(0, 0, 48, 48)\",4,0,0,1,3,2,0,0,0,0\n\
                 fer0000001.png,\"(0, 0, 48, 48)\",1,7,0,0,0,0,0,0,2,0\n\
                 fer0000002.png,\"(0, 0, 48, 48)\",5,0,0,5,0,0,0,0,0,0\n\
                 fer0000003.png,\"(0, 0, 48, 48)\",0,0,0,1,0,0,0,0,9,0\n\
                 fer0000004.png,\"(0, 0, 48, 48)\",9,0,0,1,0,0,0,0,0,0\n";
    let valid = "fer0028638.png,\"(0, 0, 48, 48)\",0,0,0,0,0,0,0,0,0,10\n\
                 fer0028639.png,\"(0, 0, 48, 48)\",1,0,0,1,0,2,0,6,0,0\n\
                 fer0028640.png,\"(0, 0, 48, 48)\",4,0,0,1,3,2,0,0,0,0\n";
    files.push(file("train_label.csv", format!("{header}{train}")));
    files.push(file("valid_label.csv", format!("{header}{valid}")));
    files
}

/// The first list has blanks before the names, as the second publication of FER2013 does; pictures of 2 × 2 pixels.
fn fer2013() -> Vec<File> {
    let list = "emotion, Usage, pixels\n0,Training,0 1 2 3\n3,Training,255 1 2 3\n9,Training,4 4 4 4\n\
                6,PublicTest,1 2 3\n6,PublicTest,5 5 5 5\n1,PrivateTest,0 1 2 3\n2,Private,7 7 7 7\n";
    let votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n\
                 Training,fer0000000.png,0,0,0,1,9,0,0,0,0,0\nTraining,fer0000001.png,0,5,5,0,0,0,0,0,0,0\n\
                 Training,fer0000002.png,0,0,0,0,0,0,0,8,2,0\nPublicTest,,0,0,0,0,0,0,0,0,0,10\n\
                 PublicTest,fer0000004.png,9,0,0,0,0,1,0,0,0,0\nPrivateTest,fer0000005.png,0,0,0,0,0,2,0,8,0,0\n\
                 PrivateTest,fer0000006.png,0,0,0,0,0,0,10,0,0,0\n";
    vec![file("icml_face_data.csv", list), file("fer2013new.csv", votes)]
}

fn meld() -> Vec<File> {
    let header =
        "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n";
    let rest = "8,21,\"00:16:16,059\",\"00:16:21,731\"\n";
    let mut files = media("train_splits/", &["dia0_utt0.mp4"]);
    let train = [
        header.as_bytes(),
        b"1,\"That\x92s, well\",Chandler,neutral,neutral,0,0,",
        rest.as_bytes(),
        b"2,No!,Joey,joy,positive,0,1,",
        rest.as_bytes(),
    ]
    .concat();
    files.push(file("train_sent_emo.csv", train));
    files.push(file("dev_sent_emo.csv", format!("{header}1,What?,Monica,surprise,negative,0,0,{rest}")));
    files.push(file(
        "test_sent_emo.csv",
        format!("{header}1,Yes,Joey,neutral,neutral,0,0,{rest}2,Oh,Ross,bored,neutral,0,1,{rest}"),
    ));
    files
}

fn kaldi() -> Vec<File> {
    let mut files = media("wav/", &["a 1.wav", "b.wav", "c.flac"]);
    files.extend([
        file(
            "train/wav.scp",
            "spk1-a /export/corpus/wav/a 1.wav\nspk1-x sox x.sph -t wav - |\nspk2-y gone.wav\nspk2-b wav/b.wav\n",
        ),
        file("train/utt2emo", "spk1-a anger\nspk2-b joy\nspk2-y joy\n"),
        file("train/utt2spk", "spk1-a spk1\nspk2-b spk2\n"),
        file("train/text", "spk1-a what  a day\n"),
        file("test/wav.scp", "spk3-c c.flac\nspk3-d b.wav\n"),
        file("test/utt2emo", "spk3-c anger"),
    ]);
    files
}

/// A cell of a spreadsheet.
#[derive(Clone, Copy)]
enum Cell<'a> {
    Text(&'a str),
    Number(f64),
    /// Days since the end of 1899.
    Date(f64),
    Empty,
}

type Rows<'a> = &'a [&'a [Cell<'a>]];

/// Two sheets, of which the first is empty.
fn csv() -> Vec<File> {
    use Cell::{Date, Empty, Number, Text};
    let mut files = media("clips/", &["a.wav", "b.wav", "7.wav"]);
    let rows: Rows<'_> = &[
        &[Text("Clip Name"), Text("Emotion"), Text("Day"), Text("Subject"), Text("Split"), Text("Text")],
        &[Text("a.wav"), Text("anger"), Date(45352.0), Number(12.0), Text("train"), Text("two\nlines, of text")],
        &[Text("clips/b"), Text("joy"), Date(45353.5), Number(13.0), Text("val"), Empty],
        &[],
        &[Number(7.0), Text("anger"), Empty, Number(14.5), Text("test"), Empty],
        &[Text("gone.wav"), Text("joy"), Empty, Empty, Text("test"), Empty],
    ];
    let notes: Rows<'_> = &[&[Text("made by hand")]];
    files.push(file("labels.xlsx", xlsx(&[("Summary", &[]), ("Clips", rows), ("Notes", notes)])));
    files
}

/// A spreadsheet as Excel saves it, as small as can be.
fn xlsx(sheets: &[(&str, Rows<'_>)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    const TYPES: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let link = |id: usize, kind: &str, to: &str| {
        format!("<Relationship Id=\"rId{id}\" Type=\"{LINKS}/{kind}\" Target=\"{to}\"/>")
    };
    let links = |inner: String| format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{inner}</Relationships>");
    let (mut listed, mut linked, mut typed) = (String::new(), link(99, "styles", "styles.xml"), String::new());
    let mut members = Vec::new();
    for (id, (name, rows)) in (1..).zip(sheets) {
        let cell = |(column, cell): (u8, &Cell<'_>), row: usize| {
            let at = format!("r=\"{}{row}\"", char::from(b'A' + column));
            match cell {
                Cell::Text(text) => format!("<c {at} t=\"inlineStr\"><is><t>{text}</t></is></c>"),
                Cell::Number(number) => format!("<c {at}><v>{number}</v></c>"),
                Cell::Date(days) => format!("<c {at} s=\"1\"><v>{days}</v></c>"),
                Cell::Empty => String::new(),
            }
        };
        let row = |(row, cells): (usize, &&[Cell<'_>])| {
            let cells: String = (0..).zip(*cells).map(|pair| cell(pair, row)).collect();
            format!("<row r=\"{row}\">{cells}</row>")
        };
        let data: String = (1..).zip(*rows).map(row).collect();
        members.push((
            format!("xl/worksheets/sheet{id}.xml"),
            format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{data}</sheetData></worksheet>"),
        ));
        listed += &format!("<sheet name=\"{name}\" sheetId=\"{id}\" r:id=\"rId{id}\"/>");
        linked += &link(id, "worksheet", &format!("worksheets/sheet{id}.xml"));
        typed +=
            &format!("<Override PartName=\"/xl/worksheets/sheet{id}.xml\" ContentType=\"{TYPES}.worksheet+xml\"/>");
    }
    let part =
        |name: &str, kind: &str| format!("<Override PartName=\"/xl/{name}.xml\" ContentType=\"{TYPES}.{kind}+xml\"/>");
    typed += &(part("workbook", "sheet.main") + &part("styles", "styles"));
    let parts =
        "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>";
    members.extend([
        ("[Content_Types].xml".to_owned(), format!("<Types xmlns=\"{PACKAGE}/content-types\">{parts}{typed}</Types>")),
        ("_rels/.rels".to_owned(), links(link(1, "officeDocument", "xl/workbook.xml"))),
        ("xl/_rels/workbook.xml.rels".to_owned(), links(linked)),
        (
            "xl/workbook.xml".to_owned(),
            format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets>{listed}</sheets></workbook>"),
        ),
        (
            // The second of the formats is that of dates.
            "xl/styles.xml".to_owned(),
            format!("<styleSheet xmlns=\"{MAIN}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"),
        ),
    ]);
    zip(&members)
}

/// An archive of texts, nothing compressed.
fn zip(members: &[(String, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in members {
        let at = bytes.len() as u32;
        let size = (text.len() as u32).to_le_bytes();
        // Version 2.0, no flags, stored, 1 January 1980.
        let description = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
            &checksum(text.as_bytes()).to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", &description[..], name.as_bytes(), text.as_bytes()].concat());
        let place = [&[0; 10][..], &at.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02", &[20, 0][..], &description, &place].concat());
    }
    let n = (members.len() as u16).to_le_bytes();
    let (start, length) = ((bytes.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    [bytes, directory, b"PK\x05\x06\0\0\0\0".to_vec(), [n, n].concat(), [length, start].concat(), vec![0; 2]].concat()
}

fn affectnet() -> Vec<File> {
    let header = |code: &str| {
        let text = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': (), }}");
        let text = format!("{text:<117}\n");
        [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    };
    let text = |text: &str| {
        let letters: Vec<u8> = text.chars().flat_map(|letter| (letter as u32).to_le_bytes()).collect();
        [header(&format!("<U{}", text.len())), letters].concat()
    };
    let number = |number: f64| [header("<f8"), number.to_le_bytes().to_vec()].concat();
    let pictures =
        ["train_set/images/0.jpg", "train_set/images/1.jpg", "train_set/images/2.jpg", "train_set/images/3.jpg"];
    let mut files = media("", &pictures);
    files.extend(media("", &["val_set/images/0.jpg", "val_set/images/1.jpg"]));
    for (part, picture, expression, valence) in [
        ("train", 0, "0", "0.25"),
        ("train", 1, "7", "-0.5"),
        ("train", 2, "8", "-2"),
        ("val", 0, "1", "-2"),
        ("val", 1, "0", "0"),
    ] {
        let annotation = |end| format!("{part}_set/annotations/{picture}_{end}.npy");
        files.push(file(annotation("exp"), text(expression)));
        files.push(file(annotation("val"), text(valence)));
        files.push(file(annotation("aro"), number(0.5)));
    }
    files
}

/// AffectNet's first release.
fn affectnet_lists() -> Vec<File> {
    let header =
        "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n";
    let training = "1/a.jpg,1,2,6,5,1.0;2.5,0,0.25,-0.5\n1/b.jpg,1,2,6,5,1.0;2.5,7,-2,-2\n1/c.jpg,1,2,6,5,1.0;2.5,9,-2,-2\n\
                    2/d.jpg,1,2,6,5,1.0;2.5,10,-2,-2\n2/gone.jpg,1,2,6,5,1.0;2.5,1,0.5,0.5\n2/e.jpg,1,2,6,5,1.0;2.5,,0.5,0.5\n";
    let validation = "1/f.jpg,0,0,8,8,1.0;2.5,6,-1,1\n2/g.jpg,0,0,8,8,1.0;2.5,0,0,0\n";
    let mut files = media(
        "Manually_Annotated/Manually_Annotated_Images/",
        &["1/a.jpg", "1/b.jpg", "1/c.jpg", "2/e.jpg", "1/f.jpg", "2/g.jpg"],
    );
    files.push(file("Manually_Annotated_file_lists/training.csv", format!("{header}{training}")));
    files.push(file("Manually_Annotated_file_lists/validation.csv", format!("{header}{validation}")));
    files
}

fn tweet_eval() -> Vec<File> {
    vec![
        file("mapping.txt", "0\tanger\n1\tjoy\n2\toptimism\n"),
        file("train_text.txt", "so angry, really\nyay\n\nwe will win\n"),
        file("train_labels.txt", "0\n1\n1\n2\n"),
        file("val_text.txt", "hm\n"),
        file("val_labels.txt", "7\n"),
        file("test_text.txt", "what a day\r\nugh"),
        file("test_labels.txt", "1\r\n0"),
    ]
}

fn go_emotions() -> Vec<File> {
    vec![
        file("labels.txt", "anger\njoy\nneutral\n"),
        file("train.tsv", "Where is it?\t2\ta1\nStop that!\t0\ta2\nHm\t0,2\ta3\nGreat \"day\t1\ta4\n"),
        file("dev.tsv", "No\t0\tb1\n"),
        file("test.tsv", "Yes\t1\tc1\nWell\tx\tc2\n"),
    ]
}

fn sequences() -> Vec<File> {
    let split = |first: usize, n: usize, padding: usize, sentiments: &[f32]| {
        // Five steps, of which the first `padding` are zeros; the sound of the first utterance is silent, −∞ included.
        let steps = |width: usize| {
            (0..n * 5 * width)
                .map(|at| if at / width % 5 < padding { 0.0 } else { (at % 7 + 1) as f32 })
                .collect::<Vec<f32>>()
        };
        let mut audio = steps(3);
        audio[..15].fill(0.0);
        audio[0] = f32::NEG_INFINITY;
        let mut pickle = b"}(".to_vec();
        for (name, shape, values) in [
            ("text", vec![n, 5, 4], steps(4)),
            ("audio", vec![n, 5, 3], audio),
            ("vision", vec![n, 5, 2], steps(2)),
            ("labels", vec![n, 1, 1], sentiments.to_vec()),
        ] {
            pickle.extend([text(name), array(&shape, &values)].concat());
        }
        pickle.extend([text("id"), b"](".to_vec()].concat());
        for utterance in first..first + n {
            // A list of three texts for each, as object arrays unpack.
            pickle.extend(
                [b"](".to_vec(), text(&format!("video{utterance}")), text("0.5"), text("2"), b"e".to_vec()].concat(),
            );
        }
        pickle.extend(b"eu");
        pickle
    };
    let mut pickle = b"\x80\x02}(".to_vec();
    pickle.extend([text("train"), split(0, 3, 2, &[-1.5, 0.0, 3.0])].concat());
    pickle.extend([text("valid"), split(3, 1, 0, &[1.0])].concat());
    pickle.extend([text("test"), split(4, 2, 4, &[-3.0, 4.0])].concat());
    pickle.extend(b"u.");
    let mut files = vec![file("mosi_data.pkl", pickle)];
    files.extend(mmsa());
    files
}

/// MMSA's folders of two corpora; they have neither spans nor lists in the names of utterances. Only CH-SIMS has
/// ratings of the text by itself, which are numbers that are none elsewhere.
fn mmsa() -> Vec<File> {
    let split = |ids: &[&str], sentiments: &[f32], by_text: &[f32]| {
        let n = ids.len();
        let mut pickle = b"}(".to_vec();
        for (name, width) in [("text", 4), ("audio", 3), ("vision", 2)] {
            pickle.extend([text(name), array(&[n, 2, width], &vec![1.0; n * 2 * width])].concat());
        }
        pickle.extend([text("regression_labels"), array(&[n], sentiments)].concat());
        pickle.extend([text("regression_labels_T"), array(&[n], by_text)].concat());
        for name in ["id", "raw_text"] {
            let texts: Vec<u8> = ids.iter().flat_map(|id| text(id)).collect();
            pickle.extend([text(name), b"](".to_vec(), texts, b"e".to_vec()].concat());
        }
        pickle.extend(b"u");
        pickle
    };
    let pickle = |train: Vec<u8>, valid: Vec<u8>, test: Vec<u8>| {
        [b"\x80\x02}(".to_vec(), text("train"), train, text("valid"), valid, text("test"), test, b"u.".to_vec()]
            .concat()
    };
    let nan = [f32::NAN; 2];
    let mosi = pickle(
        split(&["Vid$_$0", "Vid$_$1"], &[1.0, -1.0], &nan),
        split(&["v2$_$0"], &[2.0], &nan[1..]),
        split(&["v3$_$0"], &[0.4], &nan[1..]),
    );
    let sims = pickle(
        split(&["video_0001$_$0001", "video_0001$_$0002"], &[0.5, -1.0], &[0.6, -1.0]),
        split(&["video_0002$_$0001"], &[-0.4], &[0.0]),
        split(&["video_0003$_$0001", "video_0003$_$0002"], &[1.4, 0.2], &[1.0, 0.0]),
    );
    let mut files = media("mmsa/Raw/", &["Vid/0.mp4", "Vid/1.mp4", "v3/0.mp4", "v3/7.mp4"]);
    files.push(file("mmsa/Processed/unaligned_50.pkl", mosi));
    files.push(file("mmsa/label.csv", "video_id,clip_id,text,label,annotation,mode\nVid,0,so,1.0,Positive,train\n"));
    files.push(file("other/Processed/unaligned_39.pkl", sims));
    files
}

/// What MMSA makes its pickles of: a corpus, and CH-SIMS, which alone has sentiments of the modalities.
fn mmsa_films() -> Vec<File> {
    let header = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n";
    let mosi = "Vid,1,\"SO, YES\",1.5,,,,Positive,train\nVid,2,NO,-1.0,,,,Negative,train\nv2,1,WELL,0.0,,,,Neutral,valid\n\
                v3,1,AH,-3.0,,,,Negative,test\nv3,2,,1.0,,,,Positive,test\nv3,3,AH,x,,,,Positive,test\n\
                v3,4,AH,1.0,,,,Joyful,test\nv3,5,AH,9.0,,,,Positive,test\n";
    let sims = "video_0001,0001,\u{597D},0.8,1.0,0.2,0.6,Positive,train\nvideo_0001,0002,\u{4E0D},-0.5,0.0,0.2,-0.6,Negative,train\n\
                video_0002,0001,\u{55EF},-1.0,0.0,0.2,0.6,Negative,valid\nvideo_0003,0001,\u{597D},1.0,0.0,0.2,0.6,Positive,test\n";
    let mut files = media("Raw/", &["Vid/1.mp4", "Vid/2.mp4", "v2/1.mp4"]);
    files.extend(media(
        "sims/Raw/",
        &["video_0001/0001.mp4", "video_0001/0002.mp4", "video_0002/0001.mp4", "video_0003/0001.mp4"],
    ));
    files.push(file("label.csv", format!("{header}{mosi}")));
    files.push(file("sims/label.csv", format!("{header}{sims}")));
    files
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// As numpy pickles it with protocol 3.
fn array(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sides: Vec<u8> = shape.iter().flat_map(|&side| [b'K', side as u8]).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01(".as_slice(),
        &sides,
        b"tcnumpy\ndtype\n(",
        &text("f4"),
        b"K\x00K\x01tR(K\x03",
        &text("<"),
        b"NNNJ\xFF\xFF\xFF\xFFJ\xFF\xFF\xFF\xFFK\x00tb\x89B",
        &(bytes.len() as u32).to_le_bytes(),
        &bytes,
        b"tb",
    ]
    .concat()
}
