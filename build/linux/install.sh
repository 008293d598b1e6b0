#!/bin/sh
# Installs Stepline for this user alone; no root, no network. Run it again to update.
#   ./install.sh              into ~/.local
#   ./install.sh --uninstall  removes the program; the histories stay where they are
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=${XDG_DATA_HOME:-$HOME/.local/share}
app=$HOME/.local/lib/stepline
bin=$HOME/.local/bin

refresh() {
	if command -v update-desktop-database >/dev/null; then update-desktop-database -q "$data/applications" || true; fi
	if command -v update-mime-database >/dev/null; then update-mime-database "$data/mime" >/dev/null 2>&1 || true; fi
	if command -v gtk-update-icon-cache >/dev/null; then gtk-update-icon-cache -qtf "$data/icons/hicolor" || true; fi
}

remove() {
	rm -rf "$app" "$app.new"
	if [ -L "$bin/stepline" ]; then rm "$bin/stepline"; fi
	rm -f "$data/applications/org.stepline.Stepline.desktop" "$data/mime/packages/stepline.xml"
	for size in "$data"/icons/hicolor/*/apps; do rm -f "$size/stepline.png" "$size/stepline.svg"; done
}

if [ "${1:-}" = --uninstall ]; then
	remove
	refresh
	echo "Stepline is removed. Your histories are kept in $data/stepline"
	exit 0
fi

mkdir -p "$HOME/.local/lib" "$bin" "$data/applications" "$data/mime/packages" "$data/icons"
rm -rf "$app.new"
cp -a "$here/app" "$app.new"
cp "$here/install.sh" "$app.new/"
remove_old=$app.old
rm -rf "$remove_old"
if [ -e "$app" ]; then mv "$app" "$remove_old"; fi
mv "$app.new" "$app"
rm -rf "$remove_old"
ln -sfn "$app/stepline" "$bin/stepline"
cp -a "$here/share/icons/." "$data/icons/"
cp "$here/share/mime/packages/stepline.xml" "$data/mime/packages/"
# A path with blanks is quoted in a desktop entry.
sed "s|^Exec=stepline |Exec=\"$app/stepline\" |" "$here/share/applications/org.stepline.Stepline.desktop" \
	>"$data/applications/org.stepline.Stepline.desktop"
refresh
echo "Stepline is installed in $app. Start it from the menu, or: $bin/stepline"
case ":$PATH:" in *":$bin:"*) ;; *) echo "$bin is not on your PATH; add it to use the command \`stepline\`." ;; esac
echo "To remove it: $app/install.sh --uninstall"
