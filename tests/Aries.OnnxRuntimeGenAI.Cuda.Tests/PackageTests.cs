using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using System.Xml.Linq;
using Aries.TestKit;

namespace Aries.OnnxRuntimeGenAI.Cuda.Tests;

/// <summary>What an app gets that references the package.</summary>
public sealed class PackageTests : IDisposable
{
    private const string Natives = "Microsoft.ML.OnnxRuntimeGenAI.Cuda";

    private static readonly string Project = Path.Combine(TestData.RepositoryRoot, "src", "Aries.OnnxRuntimeGenAI.Cuda");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("aries-package-");

    // The natives bring ONNX Runtime for GPUs: the processor's, whose files have the same names, must not come with it.
    [Fact]
    public async Task Pack_Package_BringsTheNativesAndNoOtherOnnxRuntime()
    {
        XElement[] dependencies = await PackAsync();
        using JsonDocument assets = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Project, "obj", "project.assets.json"), TestContext.Current.CancellationToken));
        string[] direct = [.. dependencies.Select(dependency => dependency.Attribute("id")!.Value)];
        string[] transitive = [.. assets.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name.Split('/')[0])];

        XElement natives = Assert.Single(dependencies, dependency => dependency.Attribute("id")!.Value == Natives);
        Assert.Equal("0.11.4", natives.Attribute("version")!.Value); // the lowest, without an upper bound
        Assert.Equal("Compile,Analyzers", natives.Attribute("exclude")!.Value);
        Assert.Null(natives.Attribute("include"));
        Assert.Contains("Aries.OnnxRuntimeGenAI", direct);
        Assert.Contains("Aries.LocalModels", transitive);
        Assert.DoesNotContain(direct.Concat(transitive), id => id.StartsWith("Microsoft.ML.OnnxRuntime", StringComparison.OrdinalIgnoreCase) && id != Natives);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<XElement[]> PackAsync()
    {
        string configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Debug" : "Release";
        ProcessStartInfo start = new("dotnet", ["pack", Project, "-c", configuration, "--no-build", "-o", _folder.FullName, "-v", "quiet", "-nodeReuse:false"])
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output);

        using ZipArchive package = await ZipFile.OpenReadAsync(Assert.Single(Directory.GetFiles(_folder.FullName, "*.nupkg")), TestContext.Current.CancellationToken);
        await using Stream manifest = await package.Entries.Single(entry => entry.Name.EndsWith(".nuspec", StringComparison.Ordinal)).OpenAsync(TestContext.Current.CancellationToken);
        XDocument document = await XDocument.LoadAsync(manifest, LoadOptions.None, TestContext.Current.CancellationToken);
        return [.. document.Descendants().Where(element => element.Name.LocalName == "dependency")];
    }
}
