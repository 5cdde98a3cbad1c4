using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public class PeftAdapterTests
{
    private static string Golden => TestData.Golden("lora");

    [Fact]
    public void Load_GoldenAdapter_ReadsEveryMatrix()
    {
        LlamaWeights model = Stories();

        LoraWeights adapter = PeftAdapter.Load(Golden, model);

        Assert.Equal(4, adapter.Options.Rank);
        Assert.Equal(2, adapter.Scale);
        Assert.Equal(LoraProjections.All, adapter.Options.Targets);
        Assert.Equal(5 * 7 * 2, adapter.Parameters().Count());
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Golden, "adapter_model.safetensors"));
        Assert.All(adapter.Parameters(), parameter =>
        {
            float[] stored = new float[parameter.Values.Length];
            file.ReadSingles("base_model.model." + parameter.Name, stored);
            Assert.Equal(stored, parameter.Values);
        });
        Assert.Equal(LoraWeights.Allocate(model, adapter.Options).Parameters().Select(Describe), adapter.Parameters().Select(Describe));
    }

    [Theory]
    [InlineData(LoraProjections.All, 3)]
    [InlineData(LoraProjections.Query | LoraProjections.Down, 1)]
    public void Save_Adapter_LoadsEqual(LoraProjections targets, int rank)
    {
        using TempFolder folder = new();
        LlamaConfig config = LlamaFolderTests.Small(isTied: true, hasBias: true);
        LlamaWeights model = LlamaFolderTests.Random(config);
        LoraWeights adapter = LoraWeights.Allocate(model, new LoraOptions { Rank = rank, Alpha = 1.5f, Targets = targets });
        Random random = new(3);
        foreach (Parameter parameter in adapter.Parameters())
        {
            for (int index = 0; index < parameter.Values.Length; index++)
            {
                parameter.Values[index] = random.NextSingle();
            }
        }

        PeftAdapter.Save(folder.At("adapter"), adapter, "some/model");

        LoraWeights loaded = PeftAdapter.Load(folder.At("adapter"), model);
        Assert.Equal(adapter.Options, loaded.Options);
        Assert.Equal(adapter.Parameters().Select(Describe), loaded.Parameters().Select(Describe));
        Assert.All(adapter.Parameters().Zip(loaded.Parameters()), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
        Assert.Equal("some/model", (string)JsonNode.Parse(File.ReadAllText(folder.At("adapter", "adapter_config.json")))!["base_model_name_or_path"]!);
    }

    // Written by PEFT's layout elsewhere; ours of the same adapter must be the same file.
    [Fact]
    public void Save_GoldenAdapter_EqualsItsFile()
    {
        using TempFolder folder = new();

        PeftAdapter.Save(folder.At("adapter"), PeftAdapter.Load(Golden, Stories()), "stories260K-hf");

        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(Golden, "adapter_model.safetensors"));
        using SafetensorsFile actual = SafetensorsFile.Open(folder.At("adapter", "adapter_model.safetensors"));
        Assert.Equal(expected.Header.Entries.Values.Select(entry => $"{entry.Name} {entry.TypeName} {entry.ShapeText}").Order(),
            actual.Header.Entries.Values.Select(entry => $"{entry.Name} {entry.TypeName} {entry.ShapeText}").Order());
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, "adapter_config.json"))),
            JsonNode.Parse(File.ReadAllText(folder.At("adapter", "adapter_config.json")))));
    }

    [Theory]
    [InlineData("peft_type", "\"IA3\"")]
    [InlineData("task_type", "\"SEQ_CLS\"")]
    [InlineData("bias", "\"all\"")]
    [InlineData("modules_to_save", "[\"lm_head\"]")]
    [InlineData("use_dora", "true")]
    [InlineData("use_rslora", "true")]
    [InlineData("rank_pattern", "{\"q_proj\":8}")]
    [InlineData("alpha_pattern", "{\"q_proj\":8}")]
    [InlineData("layers_to_transform", "[0,1]")]
    [InlineData("fan_in_fan_out", "true")]
    [InlineData("target_modules", "[\"q_proj\",\"lm_head\"]")]
    [InlineData("target_modules", "\".*q_proj\"")]
    [InlineData("target_modules", "[]")]
    [InlineData("init_lora_weights", "\"pissa\"")]
    [InlineData("r", "0")]
    [InlineData("r", "null")]
    [InlineData("lora_alpha", "-1")]
    public void Load_UnsupportedConfig_ThrowsWithFileAndKey(string key, string value)
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        LlamaFolderTests.Edit(copy, "adapter_config.json", json => json[key] = JsonNode.Parse(value));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => PeftAdapter.Load(copy, Stories()));

        Assert.Equal(Path.Combine(copy, "adapter_config.json"), exception.File);
        Assert.Contains($"'{key}", exception.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(exception.Fix);
    }

    [Theory]
    [InlineData("r", "8", "shape [4, 64]")]
    [InlineData("r", "2000000000", "shape [4, 64]")]
    [InlineData("target_modules", "[\"q_proj\"]", "has no place")]
    public void Load_ConfigThatDisagreesWithWeights_Throws(string key, string value, string reason)
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        LlamaFolderTests.Edit(copy, "adapter_config.json", json => json[key] = JsonNode.Parse(value));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => PeftAdapter.Load(copy, Stories()));

        Assert.Contains(reason, exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ForModelOfOtherShapes_ThrowsAndNamesBoth()
    {
        LlamaWeights other = LlamaFolderTests.Random(LlamaFolderTests.Small(isTied: true, hasBias: false));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => PeftAdapter.Load(Golden, other));

        Assert.Contains("[4, 64]", exception.Problem, StringComparison.Ordinal);
        Assert.Contains("[4, 8]", exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_DamagedConfig_ThrowsOnlyItsOwnException()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        LlamaWeights model = Stories();
        string path = Path.Combine(copy, "adapter_config.json");

        int refused = Fuzz.Run<ModelFormatException>(
            File.ReadAllBytes(path),
            input =>
            {
                File.WriteAllBytes(path, input);
                PeftAdapter.Load(copy, model);
            },
            count: 500,
            allocationLimit: 4_000_000);

        Assert.True(refused > 200, $"Only {refused} inputs were refused.");
    }

    private static LlamaWeights Stories() => LlamaFolder.Load(TestData.Golden("stories260K-hf")).Weights;

    private static string Describe(Parameter parameter) => $"{parameter.Name} [{parameter.Rows}, {parameter.Columns}]";
}
