//! The few InfluxQL statements that a writing client sends.

#[derive(Debug, PartialEq)]
pub(super) enum Statement {
    CreateDatabase(String),
    DropDatabase(String),
    ShowDatabases,
}

/// Parses the statements of a query; the error is the text of the 400.
pub(super) fn parse(query: &str) -> Result<Vec<Statement>, String> {
    let tokens = tokens(query).ok_or("error parsing query: a quote is not closed")?;
    let statements = tokens
        .split(|token| *token == Token::End)
        .filter(|tokens| !tokens.is_empty());
    statements.map(statement).collect()
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// An identifier in double quotes.
    Quoted(String),
    /// A string in single quotes, or any other character.
    Other,
    End,
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

fn statement(tokens: &[Token]) -> Result<Statement, String> {
    let starts = |first: &str, second: &str| {
        tokens.len() >= 2 && tokens[0].is(first) && tokens[1].is(second)
    };
    let rest_is_fine = || tokens.get(3).is_none_or(|token| token.is("with"));
    match tokens.get(2) {
        None if starts("show", "databases") => Ok(Statement::ShowDatabases),
        Some(Token::Quoted(name) | Token::Word(name)) if rest_is_fine() => {
            if starts("create", "database") {
                Ok(Statement::CreateDatabase(name.clone()))
            } else if starts("drop", "database") && tokens.len() == 3 {
                Ok(Statement::DropDatabase(name.clone()))
            } else {
                Err(not_understood())
            }
        }
        _ => Err(not_understood()),
    }
}

fn not_understood() -> String {
    "error parsing query: expected CREATE DATABASE, DROP DATABASE or SHOW DATABASES, which is all \
     that FakeInflux understands"
        .to_owned()
}

fn tokens(query: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ';' => tokens.push(Token::End),
            '"' | '\'' => {
                let mut text = String::new();
                loop {
                    match rest.next()? {
                        '\\' => text.push(rest.next()?),
                        end if end == c => break,
                        other => text.push(other),
                    }
                }
                tokens.push(if c == '"' {
                    Token::Quoted(text)
                } else {
                    Token::Other
                });
            }
            c if c.is_whitespace() => {}
            c if c.is_ascii_alphabetic() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            _ => tokens.push(Token::Other),
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str) -> Statement {
        Statement::CreateDatabase(name.to_owned())
    }

    #[test]
    fn databases_are_created_by_quoted_and_by_plain_name() {
        assert_eq!(parse("CREATE DATABASE \"a b\""), Ok(vec![create("a b")]));
        assert_eq!(parse("create database d2;"), Ok(vec![create("d2")]));
        assert_eq!(
            parse(r#"CREATE DATABASE "q\"x\\""#),
            Ok(vec![create("q\"x\\")])
        );
        assert_eq!(
            parse("CREATE DATABASE \"a;\";CREATE DATABASE b WITH DURATION 1d NAME \"one\""),
            Ok(vec![create("a;"), create("b")])
        );
    }

    #[test]
    fn databases_are_shown_and_dropped() {
        let statements = parse("SHOW DATABASES; DROP DATABASE \"x\"").unwrap();
        assert_eq!(
            statements,
            [
                Statement::ShowDatabases,
                Statement::DropDatabase("x".to_owned())
            ]
        );
    }

    // 1.6.7 refuses all of them as well, where its words are its parser's.
    #[test]
    fn other_statements_are_refused() {
        let bad = [
            "FOO",
            "CREATE DATABASE",
            "CREATE DATABASE 'x'",
            "CREATE DATABASE 1x",
        ];
        for query in bad
            .into_iter()
            .chain(["CREATE DATABASE a-b", "CREATE DATABASE \"a"])
        {
            assert!(
                parse(query)
                    .unwrap_err()
                    .starts_with("error parsing query: "),
                "{query}"
            );
        }
    }
}
