// Parts of functions are shown without the indentation that they have in their files.
for (const code of document.querySelectorAll("pre code")) {
    const lines = code.textContent.split("\n").filter((line) => line.trim() !== "");
    const widths = lines.map((line) => line.length - line.trimStart().length);
    const least = Math.min(...widths);
    if (lines.length > 0 && least > 0) {
        code.innerHTML = code.innerHTML.replace(new RegExp(`^ {${least}}`, "gm"), "");
    }
}
