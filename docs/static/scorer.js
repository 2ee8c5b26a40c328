// The search shows guides before the reference, where both have the words.
var Scorer = {
  score: ([docname, title, anchor, descr, score]) => score - (docname.startsWith("api/") ? 20 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// A pasted error message leads to the section of the page on troubleshooting that describes it. Sphinx itself finds only
// pages that contain every word, and a message contains names, addresses and times that no page has.
class ErrorSections {
  // sections: [{anchor, title, texts, codes}], made by docs/generated.py when the manual is built.
  constructor(sections) {
    this.sections = sections;
    this.texts = sections.flatMap(({texts}, number) => texts.map((text) => ({number, words: ErrorSections.words(text)})));
    this.pages = new Map();
    for (const {words} of this.texts) {
      for (const word of words) this.pages.set(word, (this.pages.get(word) || 0) + 1);
    }
  }

  static MIN_WORDS = 4;
  static MIN_SHARED_WORDS = 3;
  static MIN_SCORE = 0.3;
  static MAX_RESULTS = 3;

  static words(text) {
    const found = new Set();
    for (const part of text.toLowerCase().split(/[^\p{L}\p{N}_.-]+/u)) {
      const word = part.replace(/^[.-]+|[.-]+$/g, "");
      for (const one of [word, ...word.split(/[.]/)]) {
        if (one.length > 1 && !/^\d+$/.test(one) && !stopwords.has(one)) found.add(one);
      }
    }
    return found;
  }

  weight(words) {
    let sum = 0;
    for (const word of words) {
      if (this.pages.has(word)) sum += Math.log(1 + this.texts.length / this.pages.get(word));
    }
    return sum;
  }

  // The sections that describe a message, the best one first.
  find(message) {
    const scores = new Map();
    const rate = (number, score) => scores.set(number, Math.max(score, scores.get(number) || 0));
    const asked = ErrorSections.words(message);
    if (message.trim().split(/\s+/).length >= ErrorSections.MIN_WORDS) {
      for (const {number, words} of this.texts) {
        const shared = [...asked].filter((word) => words.has(word));
        if (shared.length < Math.max(2, Math.min(ErrorSections.MIN_SHARED_WORDS, words.size))) continue;
        rate(number, this.weight(shared) / Math.sqrt(this.weight(asked) * this.weight(words)));
      }
    }
    this.sections.forEach(({anchor, codes}, number) => {
      const named = codes.filter((code) => message.split(/[^\w.-]+|\.+(?=\s|$)/).includes(code)).length;
      if (named) rate(number, 0.5 + (scores.get(number) || 0) / 2 + named / 100);
      if (message.includes(`troubleshooting.html#${anchor})`)) rate(number, 2);
    });
    // Of two equal ones the later: a code alone is more often one of a service than one of STS.
    const best = [...scores]
      .filter(([, score]) => score >= ErrorSections.MIN_SCORE)
      .sort(([number, one], [other, another]) => another - one || other - number);
    return best.slice(0, ErrorSections.MAX_RESULTS).map(([number, score]) => ({...this.sections[number], score}));
  }
}

if (typeof Search !== "undefined" && typeof ERROR_SECTIONS !== "undefined") {
  const errors = new ErrorSections(ERROR_SECTIONS);
  const performSearch = Search._performSearch;
  Search._performSearch = (query, ...rest) => {
    const page = Search._index.docnames.indexOf("troubleshooting");
    const found = errors.find(query).map(({anchor, title, score}) => [
      "troubleshooting",
      `${Search._index.titles[page]} > ${title}`,
      `#${anchor}`,
      null,
      100 + score,
      Search._index.filenames[page],
      SearchResultKind.title,
    ]);
    return [...performSearch(query, ...rest), ...found.reverse()]; // the last one is shown first
  };
}
