// Makes one tree look like another and touches only what differs, so that focus, scrolling and selected text stay.
// For trees without listeners: those of the new tree are not taken over.

/** Changes `old` until it looks like `fresh`, which is used up; both are elements of the same kind. */
export function morph(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes], after = [...fresh.childNodes];
  after.forEach((node, index) => {
    const was = before[index];
    if (!was) old.append(node);
    else if (was.nodeName !== node.nodeName) was.replaceWith(node);
    else if (was.nodeType === Node.ELEMENT_NODE) morph(was, node);
    else if (was.data !== node.data) was.data = node.data;
  });
  before.slice(after.length).forEach((node) => node.remove());
}
