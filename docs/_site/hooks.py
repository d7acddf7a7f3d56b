"""What mkdocs is told to do beside its own: pages that are made, links out of docs/, formulas."""

import logging
import pathlib
import sys

from mkdocs.structure.files import File

# mkdocs loads this file alone.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import gallery
import mathml
import paths
import reference

# Below this name a warning fails a strict build.
log = logging.getLogger("mkdocs.hooks.site")

# Place on the site -> file of the repository.
_origins: dict[str, str] = {}


def on_config(config):
    """The pages that are made stand in the navigation, below their overviews."""
    titles = [{gallery.parts(script)[0]: f"gallery/{script.stem}.md"} for script in gallery.scripts()]
    modules = [{module: f"reference/{module}.md"} for module in reference.pages()]
    for section in config.nav:
        for overview, made in (("gallery/index.md", titles), ("reference/index.md", modules)):
            for pages in section.values():
                if isinstance(pages, list) and overview in pages:
                    pages += made
    return config


def on_files(files, config):
    """Add the reference, the gallery, and the files beside docs/ that pages lead to."""
    docs = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    beside = paths.linked_files(docs)
    _origins.update({paths.place_of(file): file for file in (*docs, *beside)})
    for file in beside:
        files.append(File.generated(config, paths.place_of(file), abs_src_path=str(paths.ROOT / file)))
    found = reference.pages()
    made = {f"reference/{module}.md": reference.page(module, names) for module, names in found.items()}
    examples = gallery.examples()
    made |= {f"gallery/{one.name}.md": one.page for one in examples}
    made |= {"reference/index.md": reference.overview(found), "gallery/index.md": gallery.overview(examples)}
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    for one in examples:
        for index, picture in enumerate(one.pictures):
            place = f"gallery/{gallery.picture_name(one, index)}"
            files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links of the repository become links of the site."""
    file = _origins.get(page.file.src_uri)
    return markdown if file is None else paths.rewritten(file, markdown)


def on_page_content(html, page, config, files):
    """Formulas; those that cannot be drawn are named with their page."""
    try:
        return mathml.drawn(html)
    except ValueError as error:
        log.warning("%s: %s", page.file.src_uri, error)
        return html
