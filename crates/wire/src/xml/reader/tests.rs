use super::*;

/// Every event of a document, written short: `<name attribute=value>`, text, `</>`.
fn events(document: &str) -> Result<String, Malformed> {
    let mut reader = Reader::new(document.as_bytes())?;
    let mut out = String::new();
    while let Some(event) = reader.read()? {
        match event {
            Event::Start { name, attributes } => {
                out.push_str(&format!("<{name}"));
                attributes.iter().for_each(|(key, value)| out.push_str(&format!(" {key}={value}")));
                out.push('>');
            }
            Event::End => out.push_str("</>"),
            Event::Text(text) => out.push_str(&text),
        }
    }
    Ok(out)
}

#[test]
fn elements_attributes_and_text_come_in_their_order() {
    for (document, read) in [
        ("<a/>", "<a></>"),
        ("<a></a>", "<a></>"),
        (
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>x<b y='1' z = \"2\"/>w</a>\n",
            "<a>x<b y=1 z=2></>w</>",
        ),
        ("<s:a xmlns:s=\"urn:x\"><s:b/></s:a>", "<a xmlns:s=urn:x><b></></>"),
        ("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#xD;</a>", "<a><>&\"'AB\r</>"),
        ("<a>1\r\n2\r3</a>", "<a>1\n2\n3</>"),
        ("<a><!-- b --><![CDATA[<b>&amp;]]></a>", "<a><b>&amp;</>"),
        ("<a> <b/> </a>", "<a> <b></> </>"),
        ("<ä>ö</ä>", "<ä>ö</>"),
    ] {
        assert_eq!(events(document).as_deref(), Ok(read), "{document}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for document in [
        "",
        " ",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "</a>",
        "<a",
        "<a b></a>",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a b='<'/>",
        "<1/>",
        "<-a/>",
        "<a>&b;</a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#;</a>",
        "<a>&#+65;</a>",
        "<a>]]></a>",
        "<a>\u{1}</a>",
        "<a><!-- -- --></a>",
        "<a><!--</a>",
        "<![CDATA[x]]>",
        "<a><?x</a>",
        "< a/>",
        "<a>&#x110000;</a>",
        "<a",
        "<a b='1",
        "<",
    ] {
        assert_eq!(events(document), Err(Malformed), "{document}");
    }
    assert_eq!(Reader::new(b"<a>\xff</a>").map(|_| ()), Err(Malformed));
}

#[test]
fn there_is_no_document_type_and_so_no_entity_that_grows_or_fetches() {
    for document in [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><a>&b;</a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<a><!ENTITY b 'c'></a>",
        "<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY l 'lol'><!ENTITY m '&l;&l;'>]><a>&m;</a>",
    ] {
        assert_eq!(events(document), Err(Malformed), "{document}");
    }
}

#[test]
fn depth_attributes_and_names_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(events(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(events(&nested(DEPTH_MAX + 1)), Err(Malformed));
    let wide = |count: usize| format!("<a {}/>", (0..count).map(|n| format!("a{n}='' ")).collect::<String>());
    assert!(events(&wide(ATTRIBUTES_MAX)).is_ok());
    assert_eq!(events(&wide(ATTRIBUTES_MAX + 1)), Err(Malformed));
    assert_eq!(events(&format!("<{}/>", "a".repeat(NAME_BYTES_MAX + 1))), Err(Malformed));
}

#[test]
fn what_nobody_wants_is_passed_over_whole() {
    let mut reader = Reader::new(b"<a><b><c>x</c><d/></b>y</a>").unwrap();
    assert!(matches!(reader.read(), Ok(Some(Event::Start { name: "a", .. }))));
    assert!(matches!(reader.read(), Ok(Some(Event::Start { name: "b", .. }))));
    reader.skip().unwrap();
    assert_eq!(reader.read(), Ok(Some(Event::Text("y".into()))));
    assert_eq!((reader.read(), reader.read()), (Ok(Some(Event::End)), Ok(None)));
}

proptest::proptest! {
    #[test]
    fn any_text_reads_back_as_it_was_escaped(text: String) {
        let document = format!("<a b='{0}'>{0}</a>", super::super::escaped(&text));
        let mut reader = Reader::new(document.as_bytes()).unwrap();
        let told: String = text.chars().map(|c| if super::super::is_xml_char(c) { c } else { '\u{fffd}' }).collect();
        let Ok(Some(Event::Start { attributes, .. })) = reader.read() else { panic!("{document}") };
        proptest::prop_assert_eq!(&attributes[0].1, &told);
        if !told.is_empty() {
            proptest::prop_assert_eq!(reader.read(), Ok(Some(Event::Text(told.into()))));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic_or_go_on_for_ever(text in "[<>/a!?&;# '\"=\\-\\[\\]:x]{0,60}") {
        let _ = events(&text);
    }
}
