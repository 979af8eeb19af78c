//! Markdown tables, and the numbers in them.

use std::fmt::Write as _;

/// What stands where nothing was measured.
pub const NONE: &str = "–";

/// Written with its columns aligned, so that it can be read as it is too.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new(header: &[&str]) -> Self {
        Self(vec![header.iter().map(|cell| (*cell).to_owned()).collect()])
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.0.push(cells);
    }

    pub fn print(&self, title: &str) {
        println!("## {title}\n\n{}", self.markdown());
    }

    fn markdown(&self) -> String {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for (place, row) in self.0.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                _ = match column {
                    0 => write!(out, "| {cell:width$} |"),
                    _ => write!(out, " {cell:>width$} |"),
                };
            }
            out.push('\n');
            if place == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width + 1);
                    _ = match column {
                        0 => write!(out, "|{line}-|"),
                        _ => write!(out, "{line}:|"),
                    };
                }
                out.push('\n');
            }
        }
        out
    }
}

/// The one in the middle; none of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0),
        _ => values.get(middle).copied(),
    }
}

/// `1,234,567`.
pub fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 && digits != "0" {
        out.insert(0, '-');
    }
    out
}

/// With so many decimals.
pub fn decimals(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

/// A cell for what may not have been measured.
pub fn cell(value: Option<f64>, format: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(whole(0.2), "0");
        assert_eq!(whole(999.0), "999");
        assert_eq!(whole(1_234_567.4), "1,234,567");
        assert_eq!(whole(-12_345.0), "-12,345");
    }

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(&["", "ns"]);
        table.row(vec!["limit".to_owned(), "194".to_owned()]);
        let expected = "|       |  ns |\n|-------|----:|\n| limit | 194 |\n";
        assert_eq!(table.markdown(), expected);
    }
}
