//! The rendered answers in the kernel: a hash table over two arrays; see [`TemplateCell`].

use std::sync::atomic::{Ordering, fence};

use aya::maps::{Array, MapData, MapError};
use dhcp_common::abi::{TEMPLATE_ELEMENTS, TEMPLATE_WAYS, Template, TemplateCell, TemplateKey};

/// Why an answer is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("there is no room for one more rendered answer")]
    Full,
    #[error(transparent)]
    Map(#[from] MapError),
}

/// `TEMPLATE_INDEX` and `TEMPLATES`.
pub struct Templates {
    index: Array<MapData, TemplateCell>,
    templates: Array<MapData, Template>,
    /// The contents of the index.
    cells: Vec<TemplateCell>,
    /// Elements of `TEMPLATES` that are not in use.
    free: Vec<u32>,
}

impl Templates {
    /// Reads the templates that an earlier controller has left.
    pub fn new(
        index: Array<MapData, TemplateCell>,
        templates: Array<MapData, Template>,
    ) -> Result<Self, MapError> {
        let cells = index.iter().collect::<Result<Vec<_>, _>>()?;
        let mut is_used = vec![false; TEMPLATE_ELEMENTS as usize];
        for cell in &cells {
            if let Some(is_used) = is_used.get_mut(cell.element as usize) {
                *is_used = true;
            }
        }
        let free = (1..TEMPLATE_ELEMENTS)
            .rev()
            .zip(is_used.iter().rev())
            .filter_map(|(element, is_used)| (!is_used).then_some(element))
            .collect();
        Ok(Self {
            index,
            templates,
            cells,
            free,
        })
    }

    /// Adds a rendered answer, unless there is one with this key.
    pub fn publish(&mut self, key: &TemplateKey, template: &Template) -> Result<(), PublishError> {
        let mut free = None;
        for index in (key.first_cell()..).take(TEMPLATE_WAYS as usize) {
            match self.cells.get(index as usize) {
                Some(cell) if cell.element == 0 => free = free.or(Some(index)),
                Some(cell) if cell.key == *key => return Ok(()),
                Some(_) | None => {}
            }
        }
        let (Some(index), Some(element)) = (free, self.free.last().copied()) else {
            return Err(PublishError::Full);
        };
        self.templates.set(element, template, 0)?;
        // All CPUs must see the template before they see the cell.
        fence(Ordering::SeqCst);
        self.set(
            index,
            TemplateCell {
                key: *key,
                element,
                reserved: 0,
            },
        )?;
        self.free.pop();
        Ok(())
    }

    /// Removes from the index the templates that `keep` does not select. Returns the elements,
    /// which may be used again after a fence.
    pub fn remove_unless(
        &mut self,
        mut keep: impl FnMut(&TemplateKey) -> bool,
    ) -> Result<Vec<u32>, MapError> {
        let mut removed = Vec::new();
        for index in 0..self.cells.len() {
            let cell = self.cells[index];
            if cell.element != 0 && !keep(&cell.key) {
                self.set(index as u32, TemplateCell::default())?;
                removed.push(cell.element);
            }
        }
        Ok(removed)
    }

    /// Frees elements that no program run uses any more.
    pub fn reuse(&mut self, elements: Vec<u32>) {
        self.free.extend(elements);
    }

    fn set(&mut self, index: u32, cell: TemplateCell) -> Result<(), MapError> {
        self.index.set(index, cell, 0)?;
        self.cells[index as usize] = cell;
        Ok(())
    }
}
