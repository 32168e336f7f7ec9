// Text from outside in a form that shows as text and as one line: the same as in the terminal (present/text.py).
// Nothing in it can turn the direction of what follows around, hide, or pretend to be something else.

// CSI; OSC and other strings with all that is in them; CSI in one character; other two-character sequences.
const ESCAPE_SEQUENCE = /\x1b\[[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^]*?(?:\x07|\x1b\\|\x9c|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const ODD_SPACE = /\p{Zs}/gu;
// Most lines have nothing else.
const PLAIN = /^[\x20-\x7e]*$/;

export function clean(text) {
  if (PLAIN.test(text)) return text;
  return text.replace(ESCAPE_SEQUENCE, "").replaceAll("\t", "    ").replace(UNPRINTABLE, "\ufffd").replace(ODD_SPACE, " ");
}
