; Stepline's installer for Windows, by Inno Setup 6.3 or later; build/package.py calls it:
;   iscc /DVersion=V /DApp=FOLDER /DIcon=FILE /O"dist" build\windows\stepline.iss
; For one user, without an administrator and without a network. The histories stay when it is removed.

#ifndef Version
  #error Version, App and Icon have to be given: build/package.py does it
#endif

[Setup]
AppId={{7C0F1C5E-6B1A-4E0B-9B57-5E0A6D5C3F21}
AppName=Stepline
AppVersion={#Version}
AppPublisher=Stepline
DefaultDirName={autopf}\Stepline
DefaultGroupName=Stepline
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
OutputBaseFilename=stepline-{#Version}-windows-x86_64
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\stepline-window.exe
Compression=lzma2/normal
SolidCompression=yes
ChangesEnvironment=yes
ChangesAssociations=yes
WizardStyle=modern
LicenseFile=..\..\LICENSE

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"

[CustomMessages]
en.Path=Make the command "stepline" known in terminals
en.Desktop=Put an icon on the desktop
en.NoWebView=The Microsoft Edge WebView2 Runtime is not installed on this machine. Stepline works without it, but opens in the browser instead of a window of its own.%n%nTo have the window, install the "Evergreen Standalone Installer" of the WebView2 Runtime, also later; it can be copied here from a machine with a network.
en.Open=Open with Stepline

[Tasks]
Name: "path"; Description: "{cm:Path}"
Name: "desktop"; Description: "{cm:Desktop}"; Flags: unchecked

[InstallDelete]
; What an earlier version left; the histories lie elsewhere.
Type: filesandordirs; Name: "{app}\_internal"
Type: filesandordirs; Name: "{app}\recorder"

[Files]
Source: "{#App}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\Stepline"; Filename: "{app}\stepline-window.exe"
Name: "{autodesktop}\Stepline"; Filename: "{app}\stepline-window.exe"; Tasks: desktop

[Registry]
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: not IsAdminInstallMode and IsNotOnPath
Root: HKLM; Subkey: "SYSTEM\CurrentControlSet\Control\Session Manager\Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: IsAdminInstallMode and IsNotOnPath
; Offered beside the programs that open these files already, never in their place.
Root: HKA; Subkey: "Software\Classes\Stepline.History\shell\open\command"; ValueType: string; ValueData: """{app}\stepline-window.exe"" open ""%1"""; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Stepline.History"; ValueType: string; ValueData: "{cm:Open}"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\.wandb\OpenWithProgids"; ValueType: string; ValueName: "Stepline.History"; ValueData: ""; Flags: uninsdeletevalue uninsdeletekeyifempty
Root: HKA; Subkey: "Software\Classes\.jsonl\OpenWithProgids"; ValueType: string; ValueName: "Stepline.History"; ValueData: ""; Flags: uninsdeletevalue uninsdeletekeyifempty
Root: HKA; Subkey: "Software\Classes\.csv\OpenWithProgids"; ValueType: string; ValueName: "Stepline.History"; ValueData: ""; Flags: uninsdeletevalue uninsdeletekeyifempty

[Run]
Filename: "{app}\stepline-window.exe"; Description: "{cm:LaunchProgram,Stepline}"; Flags: nowait postinstall skipifsilent

[UninstallDelete]
; Compiled modules that Python leaves beside the program. Not the whole folder: somebody may keep other files there.
Type: filesandordirs; Name: "{app}\_internal"
Type: dirifempty; Name: "{app}"

[Code]
const
  WebViewClient = 'Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}';

function VersionAt(Root: Integer; Key: String): Boolean;
var
  Found: String;
begin
  Result := RegQueryStringValue(Root, Key, 'pv', Found) and (Found <> '') and (Found <> '0.0.0.0');
end;

// As Microsoft's documentation has it: for all users, on 64-bit systems below WOW6432Node, or for this user.
function HasWebView: Boolean;
begin
  Result := VersionAt(HKLM, 'SOFTWARE\WOW6432Node\' + WebViewClient)
    or VersionAt(HKLM, 'SOFTWARE\' + WebViewClient)
    or VersionAt(HKCU, 'Software\' + WebViewClient);
end;

// The variables of all users, or of this one: below HKA, as the installer was started.
function EnvironmentKey: String;
begin
  if IsAdminInstallMode then
    Result := 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
  else
    Result := 'Environment';
end;

function IsNotOnPath: Boolean;
var
  Path: String;
begin
  Result := True;
  if RegQueryStringValue(HKA, EnvironmentKey, 'Path', Path) then
    Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Path) + ';') = 0;
end;

function InitializeSetup: Boolean;
begin
  Result := True;
  if not HasWebView then
    SuppressibleMsgBox(CustomMessage('NoWebView'), mbInformation, MB_OK, IDOK);
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Path: String;
begin
  if (Step = usPostUninstall) and RegQueryStringValue(HKA, EnvironmentKey, 'Path', Path) then begin
    Path := ';' + Path + ';';
    if StringChangeEx(Path, ';' + ExpandConstant('{app}') + ';', ';', True) > 0 then
      RegWriteExpandStringValue(HKA, EnvironmentKey, 'Path', Copy(Path, 2, Length(Path) - 2));
  end;
end;
