using System.Text.Json.Nodes;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public class CheckpointFingerprintTests
{
    private static string Golden => TestData.Golden("stories260K-hf");

    [Fact]
    public void Compute_SameContentElsewhere_IsEqual()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        File.WriteAllText(folder.At("model", "notes.txt"), "x");
        LlamaFolderTests.Edit(copy, "config.json", json => json["_name_or_path"] = "/elsewhere");
        LlamaFolderTests.Edit(copy, "tokenizer_config.json", Reverse);

        string fingerprint = Compute(Golden);

        Assert.Matches("^[0-9a-f]{64}$", fingerprint);
        Assert.Equal(fingerprint, Compute(copy));
    }

    [Fact]
    public void Compute_ShardedWeights_EqualsOneFile()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        LlamaWeights weights = LlamaFolder.Load(copy).Weights;
        SafetensorsTensor[] tensors = [.. weights.Parameters().Select(parameter => SafetensorsTensor.Of(parameter))];
        File.Delete(Path.Combine(copy, "model.safetensors"));
        SafetensorsWriter.Write(Path.Combine(copy, "a.safetensors"), tensors[..10]);
        SafetensorsWriter.Write(Path.Combine(copy, "b.safetensors"), tensors[10..]);
        JsonObject map = [.. tensors.Select((tensor, index) => KeyValuePair.Create(tensor.Name, (JsonNode?)(index < 10 ? "a.safetensors" : "b.safetensors")))];
        File.WriteAllText(Path.Combine(copy, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());

        Assert.Equal(Compute(Golden), Compute(copy));
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("generation_config.json")]
    [InlineData("tokenizer.json")]
    [InlineData("tokenizer_config.json")]
    [InlineData("tokenizer.bin")]
    [InlineData("model.safetensors")]
    public void Compute_OneFileChanged_Differs(string file)
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(Golden);
        if (file.EndsWith(".json", StringComparison.Ordinal))
        {
            LlamaFolderTests.Edit(copy, file, json => json["bos_token"] = "x");
        }
        else
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(copy, file));
            bytes[^1] ^= 1;
            File.WriteAllBytes(Path.Combine(copy, file), bytes);
        }

        Assert.NotEqual(Compute(Golden), Compute(copy));
    }

    [Fact]
    public void Compute_WithAdapter_DiffersAndFollowsItsContent()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(TestData.Golden("lora"), "adapter");
        string with = Compute(Golden, copy);

        LlamaFolderTests.Edit(copy, "adapter_config.json", json => json["lora_alpha"] = 9);

        Assert.NotEqual(Compute(Golden), with);
        Assert.NotEqual(Compute(Golden, copy), with);
    }

    [Fact]
    public void Compute_Llama2cFile_FollowsItsTokenizer()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(TestData.Golden("stories260K"));
        string model = Path.Combine(copy, "stories260K.bin");
        string before = Compute(model);

        byte[] tokenizer = File.ReadAllBytes(Path.Combine(copy, "tok512.bin"));
        tokenizer[^1] ^= 1;
        File.WriteAllBytes(Path.Combine(copy, "tok512.bin"), tokenizer);

        Assert.NotEqual(before, Compute(model));
    }

    [Fact]
    public void Compute_Cancelled_Throws()
    {
        Assert.Throws<OperationCanceledException>(() => CheckpointFingerprint.Compute(Golden, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Compute_NoFolder_Throws()
    {
        Assert.Throws<ModelFormatException>(() => Compute("/no/such/folder"));
    }

    private static string Compute(string modelPath, string? adapterPath = null) =>
        CheckpointFingerprint.Compute(modelPath, adapterPath, TestContext.Current.CancellationToken);

    private static void Reverse(JsonNode json)
    {
        JsonObject target = json.AsObject();
        foreach ((string key, JsonNode? value) in target.Reverse().ToArray())
        {
            target.Remove(key);
            target[key] = value?.DeepClone();
        }
    }
}
