using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Aries.Extensions.AI;
using Aries.Managed;
using Aries.OnnxRuntime;
using Aries.OnnxRuntimeGenAI;
using Aries.OnnxRuntimeGenAI.Cuda;
using Aries.Preferences;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

/// <summary>Holds the packages to their roles: who references whom, what is public, and where it stands.</summary>
public partial class ArchitectureTests
{
    // Core references abstractions only, Preferences nothing of Aries; a backend references Core and what backends share, never another backend.
    private static readonly Dictionary<string, string[]> AllowedReferences = new(StringComparer.Ordinal)
    {
        ["Aries.Core"] = ["Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions", "Microsoft.Extensions.Options"],
        ["Aries.Preferences"] = ["System.Numerics.Tensors"],
        ["Aries.LocalModels"] = ["Aries.Core", "System.Numerics.Tensors"],
        ["Aries.Managed"] = ["Aries.Core", "Aries.LocalModels", "Aries.Preferences", "System.Numerics.Tensors", "Microsoft.ML.Tokenizers"],
        ["Aries.OnnxRuntimeGenAI"] = ["Aries.Core", "Aries.LocalModels", "System.Numerics.Tensors"],
        ["Aries.OnnxRuntimeGenAI.Cuda"] = ["Aries.OnnxRuntimeGenAI"],
        ["Aries.OnnxRuntime"] = ["Aries.Core", "Aries.LocalModels", "Microsoft.ML.OnnxRuntime.Managed", "Google.Protobuf", "System.Numerics.Tensors"],
        ["Aries.Extensions.AI"] = ["Aries.Core", "Microsoft.Extensions.AI", "Microsoft.Extensions.AI.Abstractions", "Polly.Core"],
        ["Aries.Evaluation"] = ["Aries.Core"],
        ["Aries.Bilevel"] = ["Aries.Core", "Aries.Managed"],
    };

    private static readonly string Source = Path.Combine(TestData.RepositoryRoot, "src");

    public static TheoryData<string> Packages => [.. Directory.EnumerateDirectories(Source).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Packages))]
    public void Project_References_AreThoseOfItsRole(string package)
    {
        Assert.True(AllowedReferences.TryGetValue(package, out string[]? allowed), $"{package} is new: say in {nameof(AllowedReferences)} what it may reference.");
        XDocument project = XDocument.Load(Path.Combine(Source, package, package + ".csproj"));

        string[] references =
        [
            .. project.Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'))),
            .. project.Descendants("PackageReference").Where(reference => reference.Attribute("PrivateAssets")?.Value != "all").Select(reference => reference.Attribute("Include")!.Value),
        ];

        Assert.Empty(references.Except(allowed));
        Assert.True(references.Length > 0, $"{package} references nothing: its project file was not understood.");
    }

    [Theory]
    [InlineData(typeof(AriesLoop), "Microsoft.Extensions.", "Microsoft.Win32.Primitives")] // the framework's, for a process that cannot be started
    [InlineData(typeof(IPreferenceLoss))]
    [InlineData(typeof(ChatTemplate), "Aries.Core")]
    [InlineData(typeof(ManagedPolicyModel), "Aries.Core", "Aries.LocalModels", "Aries.Preferences", "Microsoft.ML.Tokenizers", "Microsoft.Extensions.")]
    [InlineData(typeof(OnnxRuntimePolicyModel), "Aries.Core", "Aries.LocalModels", "Microsoft.ML.OnnxRuntime", "Google.Protobuf", "Microsoft.Extensions.")]
    [InlineData(typeof(GenAIPolicyModel), "Aries.Core", "Aries.LocalModels", "Microsoft.Extensions.")]
    [InlineData(typeof(CudaRequirements), "Aries.Core", "Aries.OnnxRuntimeGenAI", "Microsoft.Extensions.")]
    [InlineData(typeof(ChatClientPolicyModel), "Aries.Core", "Microsoft.Extensions.", "Polly.Core")]
    public void Assembly_References_AreTheFrameworkAndItsRoles(Type type, params string[] allowed)
    {
        string[] references = [.. type.Assembly.GetReferencedAssemblies().Select(name => name.Name!)];

        Assert.NotEmpty(references);
        Assert.DoesNotContain(references, name => !name.StartsWith("System.", StringComparison.Ordinal) && !allowed.Any(start => name.StartsWith(start, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(typeof(AriesLoop), "Aries")]
    [InlineData(typeof(IPreferenceLoss), "Aries.Preferences")]
    [InlineData(typeof(ChatTemplate), "Aries")]
    [InlineData(typeof(ManagedPolicyModel), "Aries.Managed")]
    [InlineData(typeof(OnnxRuntimePolicyModel), "Aries.OnnxRuntime")]
    [InlineData(typeof(GenAIPolicyModel), "Aries.OnnxRuntimeGenAI")]
    [InlineData(typeof(CudaRequirements), "Aries.OnnxRuntimeGenAI.Cuda")]
    [InlineData(typeof(ChatClientPolicyModel), "Aries.Extensions.AI")]
    public void PublicTypes_Namespaces_AreThePackagesOwn(Type type, string expected)
    {
        // Extension methods live in the namespace of the type that they extend.
        Type[] others = [.. type.Assembly.GetExportedTypes().Where(exported => exported.Namespace != expected && !(exported is { IsAbstract: true, IsSealed: true } && exported.Name.EndsWith("Extensions", StringComparison.Ordinal)))];

        Assert.Empty(others);
    }

    [Theory]
    [InlineData(typeof(AriesLoop))]
    [InlineData(typeof(IPreferenceLoss))]
    [InlineData(typeof(ChatTemplate))]
    [InlineData(typeof(ManagedPolicyModel))]
    [InlineData(typeof(OnnxRuntimePolicyModel))]
    [InlineData(typeof(GenAIPolicyModel))]
    [InlineData(typeof(CudaRequirements))]
    [InlineData(typeof(ChatClientPolicyModel))]
    public void PublicTypes_Documentation_HasASummaryForEach(Type type)
    {
        XDocument documentation = XDocument.Load(Path.ChangeExtension(type.Assembly.Location, ".xml"));
        HashSet<string> documented = [.. documentation.Descendants("member").Where(member => member.Element("summary") is not null).Select(member => member.Attribute("name")!.Value)];

        Assert.All(type.Assembly.GetExportedTypes(), exported => Assert.Contains("T:" + exported.FullName!.Replace('+', '.'), documented));
    }

    [Fact]
    public void PublicTypes_Immutable_AreSealedOrMeantToBeDerivedFrom()
    {
        Type[] open =
        [
            .. new[] { typeof(AriesLoop), typeof(IPreferenceLoss), typeof(ChatTemplate), typeof(ManagedPolicyModel), typeof(OnnxRuntimePolicyModel), typeof(GenAIPolicyModel), typeof(CudaRequirements), typeof(ChatClientPolicyModel) }
                .SelectMany(type => type.Assembly.GetExportedTypes())
                .Where(type => type is { IsClass: true, IsSealed: false, IsAbstract: false }),
        ];

        Assert.Empty(open);
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void SourceFiles_PublicTypes_StandOneAFileUnderTheirName(string package)
    {
        string[] offenders =
        [
            .. Directory.EnumerateFiles(Path.Combine(Source, package), "*.cs", SearchOption.AllDirectories)
                .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"))
                .Where(file => PublicType().Matches(File.ReadAllText(file)) is { Count: > 0 } types
                    && (types.Count > 1 || types[0].Groups["name"].Value != Path.GetFileName(file).Split('.')[0]))
                .Select(file => Path.GetRelativePath(Source, file)),
        ];

        Assert.Empty(offenders);
    }

    // Anchored at the line's start: nested types are their owner's business.
    [GeneratedRegex(@"^public\s+(?:(?:sealed|static|abstract|readonly|partial|ref|unsafe)\s+)*(?:record\s+struct|record\s+class|class|record|struct|interface|enum|delegate\s+\S+)\s+(?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex PublicType();
}
