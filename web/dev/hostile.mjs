// Names that try to be something else: markup, control octets, text that runs the other way, as long as a name may be.
export const hostileNames = [
  "<script>alert(1)</script>.example",
  "<img src=x onerror=alert(1)>.example",
  "\"quoted\".'single'.`back`.example",
  "control\u0000\u0007\u001b[31m\u007f\u0085.example",
  "new\r\nline\ttab.example",
  "\u202egnp.exe\u202c.example", // right-to-left override
  "\u05d0\u05d1\u05d2.\u0634\u0628\u0643\u0629.example", // Hebrew and Arabic
  "zero\u200bwidth\u2060joiner\ufeff.example",
  "{{7*7}}${7*7}%3Cscript%3E&lt;b&gt;.example",
  "\\000\\046\\255escaped.example",
  ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join("."), // 253 octets
  "=cmd|' /C calc'!A0.example",
];
