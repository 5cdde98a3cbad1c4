using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public class LlamaFolderTests
{
    private static string Golden => TestData.Golden("stories260K-hf");

    [Fact]
    public void Load_GoldenFolder_ReadsConfigAndWeights()
    {
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(Golden);

        Assert.Equal([1, 2], config.EndTokenIds);
        Assert.Equal(1, config.BeginTokenId);
        Assert.Equal(4, config.KeyValueHeadCount);
        Assert.Same(weights.Embedding, weights.Head);
        Assert.Equal(260_032, weights.Parameters().Sum(parameter => parameter.Values.Length));
        Assert.All(weights.Parameters(), parameter => Assert.Contains(parameter.Values, value => value != 0));
    }

    // The same weights in llama2.c's layout: rows of queries and keys lie in another order there.
    [Fact]
    public void Load_Llama2c_EqualsHuggingFaceFolder()
    {
        (LlamaConfig expectedConfig, LlamaWeights expected) = LlamaFolder.Load(Golden);

        (LlamaConfig config, LlamaWeights weights) = Llama2cCheckpoint.Load(TestData.Golden("stories260K", "stories260K.bin"));

        Assert.Equal(expectedConfig with { EndTokenIds = [] }, config with { EndTokenIds = [] });
        Assert.Equal(expectedConfig.EndTokenIds, config.EndTokenIds);
        Assert.All(expected.Parameters().Zip(weights.Parameters()), pair =>
        {
            Assert.Equal(pair.First.Name, pair.Second.Name);
            Assert.Equal(pair.First.Values, pair.Second.Values);
        });
    }

    public static TheoryData<bool, bool> Shapes => new() { { false, false }, { true, true }, { true, false }, { false, true } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Of_AnyConfig_ListsWhatAllocateMakes(bool isTied, bool hasBias)
    {
        LlamaConfig config = Small(isTied, hasBias);

        Dictionary<string, int> expected = LlamaWeights.Allocate(config).Parameters().ToDictionary(parameter => parameter.Name, parameter => parameter.Values.Length);
        Dictionary<string, int> listed = LlamaTensorShape.Of(config).ToDictionary(
            shape => shape.Name, shape => (int)shape.Shape.Aggregate(1L, (product, dimension) => product * dimension));

        Assert.Equal(expected.OrderBy(pair => pair.Key), listed.OrderBy(pair => pair.Key));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Save_NoSource_LoadsEqual(bool isTied, bool hasBias)
    {
        using TempFolder folder = new();
        LlamaConfig config = Small(isTied, hasBias);
        LlamaWeights weights = Random(config);

        LlamaFolder.Save(folder.At("out"), config, weights);

        (LlamaConfig loadedConfig, LlamaWeights loaded) = LlamaFolder.Load(folder.At("out"));
        Assert.Equal(config with { EndTokenIds = [] }, loadedConfig with { EndTokenIds = [] });
        Assert.Equal(config.EndTokenIds, loadedConfig.EndTokenIds);
        AssertEqual(weights, loaded);
        Assert.Equal(["out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Save_OverEarlierFolder_ReplacesItWhole()
    {
        using TempFolder folder = new();
        LlamaConfig config = Small(true, false);
        Directory.CreateDirectory(folder.At("out"));
        File.WriteAllText(folder.At("out", "stale.txt"), "x");

        LlamaFolder.Save(folder.At("out"), config, Random(config));

        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"], Directory.GetFiles(folder.At("out")).Select(Path.GetFileName).Order());
        Assert.Equal(["out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Save_FailsMidway_KeepsEarlierFolderAndLeavesNothing()
    {
        using TempFolder folder = new();
        LlamaConfig config = Small(true, false);
        LlamaFolder.Save(folder.At("out"), config, Random(config));
        byte[] before = File.ReadAllBytes(folder.At("out", "model.safetensors"));
        LlamaWeights tooLarge = Random(config);
        tooLarge.FinalNorm.Values[0] = 1e6f;

        Assert.Throws<ArgumentException>(() => LlamaFolder.Save(folder.At("out"), config, tooLarge, type: WeightType.Float16));

        Assert.Equal(before, File.ReadAllBytes(folder.At("out", "model.safetensors")));
        Assert.Equal(["out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Save_WithSource_KeepsItsTokenizerAndUnknownKeys()
    {
        using TempFolder folder = new();
        string source = folder.CopyOf(Golden);
        Edit(source, "config.json", json => json["some_new_key"] = 7);
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(source);

        LlamaFolder.Save(folder.At("out"), config, weights, source, WeightType.BFloat16);

        JsonNode saved = JsonNode.Parse(File.ReadAllText(folder.At("out", "config.json")))!;
        Assert.Equal(7, (int)saved["some_new_key"]!);
        Assert.Equal("bfloat16", (string)saved["torch_dtype"]!);
        Assert.Equal(File.ReadAllBytes(Path.Combine(source, "tokenizer.json")), File.ReadAllBytes(folder.At("out", "tokenizer.json")));
        (LlamaConfig loadedConfig, LlamaWeights loaded) = LlamaFolder.Load(folder.At("out"));
        Assert.Equal(config.EndTokenIds, loadedConfig.EndTokenIds);
        Assert.All(weights.Embedding.Values.Zip(loaded.Embedding.Values), pair => Assert.Equal(pair.First, pair.Second, Math.Abs(pair.First) / 256));
    }

    // The converted tokenizer is the golden folder's, which was checked against the reference implementation.
    [Fact]
    public void Save_FromLlama2c_WritesWhatTheGoldenFolderHolds()
    {
        using TempFolder folder = new();
        string source = TestData.Golden("stories260K", "stories260K.bin");
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(source);

        LlamaFolder.Save(folder.At("out"), config, weights, source);

        Assert.Equal(File.ReadAllBytes(Path.Combine(Golden, "model.safetensors")), File.ReadAllBytes(folder.At("out", "model.safetensors")));
        foreach (string name in (string[])["tokenizer.json", "generation_config.json"])
        {
            JsonNode? expected = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, name)));
            Assert.True(JsonNode.DeepEquals(expected, JsonNode.Parse(File.ReadAllText(folder.At("out", name)))), name);
        }

        JsonObject expectedConfig = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, "config.json")))!.AsObject();
        JsonObject savedConfig = JsonNode.Parse(File.ReadAllText(folder.At("out", "config.json")))!.AsObject();
        Assert.All(
            expectedConfig.Where(pair => pair.Key is not ("eos_token_id" or "pad_token_id" or "initializer_range" or "pretraining_tp" or "rms_norm_eps")),
            pair => Assert.True(JsonNode.DeepEquals(pair.Value, savedConfig[pair.Key]), pair.Key));
        LoadedModel loaded = LoadedModel.Load(folder.At("out"));
        Assert.Equal([1, 403, 407, 261, 378], loaded.Encoder.EncodePrompt("Once upon a time"));
    }

    [Theory]
    [InlineData("hidden_size", "72", "[512, 64]")]
    [InlineData("vocab_size", "513", "[513, 64]")]
    [InlineData("num_hidden_layers", "6", "model.layers.5.input_layernorm.weight")]
    [InlineData("num_hidden_layers", "4", "model.layers.4.")]
    [InlineData("num_hidden_layers", "2000000000", "model.layers.5.input_layernorm.weight")]
    [InlineData("num_key_value_heads", "8", "k_proj")]
    [InlineData("intermediate_size", "2000000000", "gate_proj")]
    [InlineData("model_type", "\"qwen2\"", "q_proj.bias")]
    [InlineData("tie_word_embeddings", "false", "lm_head.weight")]
    public void Load_ConfigThatDisagreesWithWeights_ThrowsAndNamesTensor(string key, string value, string reason)
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        Edit(copy, "config.json", json =>
        {
            json[key] = JsonNode.Parse(value);
            json.AsObject().Remove("architectures");
            json.AsObject().Remove("head_dim");
            if (key == "hidden_size")
            {
                json["head_dim"] = 8;
            }
        });

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LlamaFolder.Load(copy));

        Assert.Contains(reason, exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_TiedWithStoredHead_UsesEmbedding()
    {
        using TempFolder folder = new();
        LlamaConfig config = Small(isTied: false, hasBias: false);
        LlamaFolder.Save(folder.At("out"), config, Random(config));
        Edit(folder.At("out"), "config.json", json => json["tie_word_embeddings"] = true);

        (_, LlamaWeights weights) = LlamaFolder.Load(folder.At("out"));

        Assert.Same(weights.Embedding, weights.Head);
    }

    [Fact]
    public void Load_UnknownTensor_Throws()
    {
        using TempFolder folder = new();
        LlamaConfig config = Small(isTied: true, hasBias: false);
        LlamaFolder.Save(folder.At("out"), config, Random(config));
        SafetensorsWriter.Write(
            folder.At("out", "model.safetensors"),
            [.. Random(config).Parameters().Select(parameter => SafetensorsTensor.Of(parameter)), new("model.extra", [1], new float[1])]);

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LlamaFolder.Load(folder.At("out")));

        Assert.Contains("model.extra", exception.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_NoFolder_ThrowsAndNamesIt()
    {
        Assert.Equal("/no/such/folder", Assert.Throws<ModelFormatException>(() => LlamaFolder.Load("/no/such/folder")).File);
    }

    internal static LlamaConfig Small(bool isTied, bool hasBias) => new()
    {
        ModelType = hasBias ? "qwen2" : "llama",
        HiddenSize = 8,
        IntermediateSize = 12,
        LayerCount = 2,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 6,
        VocabularySize = 10,
        ContextLength = 32,
        RmsNormEpsilon = 1e-5f,
        RopeTheta = 1234.5,
        RopeScaling = hasBias ? null : new Llama3RopeScaling(8, 1, 4, 16),
        TieEmbeddings = isTied,
        HasQueryKeyValueBias = hasBias,
        BeginTokenId = hasBias ? null : 1,
        EndTokenIds = hasBias ? [3] : [2, 3],
    };

    internal static LlamaWeights Random(LlamaConfig config, int seed = 7)
    {
        Random random = new(seed);
        LlamaWeights weights = LlamaWeights.Allocate(config);
        foreach (Parameter parameter in weights.Parameters())
        {
            for (int index = 0; index < parameter.Values.Length; index++)
            {
                parameter.Values[index] = (float)(random.NextDouble() - 0.5);
            }
        }

        return weights;
    }

    internal static void Edit(string folder, string file, Action<JsonNode> change)
    {
        string path = Path.Combine(folder, file);
        JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
        change(json);
        File.WriteAllText(path, json.ToJsonString());
    }

    private static void AssertEqual(LlamaWeights expected, LlamaWeights actual) =>
        Assert.All(expected.Parameters().Zip(actual.Parameters()), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
}
