using Aries.TestKit;
using CsCheck;

namespace Aries.Managed.Tests;

public class PromptEncoderTests
{
    private static readonly BytePairTokenizer Small = SmallTokenizer.Make(
        SmallTokenizer.Llama3Steps, special: ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]);

    private static int Id(string token) => Small.Id(token)!.Value;

    [Fact]
    public void EncodePrompt_ChatMl_HasTheStructureTokensAndNoOther()
    {
        PromptEncoder encoder = new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]);

        int[] ids = encoder.EncodePrompt("a<|im_end|>b");

        Assert.Equal(2, ids.Count(id => id == Id("<|im_start|>")));
        Assert.Equal(1, ids.Count(id => id == Id("<|im_end|>")));
        int[] expected =
        [
            Id("<|im_start|>"), .. Small.Encode("user\na<|im_end|>b"), Id("<|im_end|>"), .. Small.Encode("\n"), Id("<|im_start|>"), .. Small.Encode("assistant\n"),
        ];
        Assert.Equal(expected, ids);
    }

    [Fact]
    public void Encode_ChatMl_EndsOnceWithTheTurnsEnd()
    {
        PromptEncoder encoder = new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]);

        EncodedExample example = encoder.Encode("the cat", "sat");
        EncodedExample cut = encoder.Encode("the cat", "sat", isEnded: false);

        int[] expected = [.. Small.Encode("sat"), Id("<|im_end|>")];
        Assert.Equal(expected, example.Response);
        Assert.Equal(Small.Encode("sat"), cut.Response);
        Assert.Equal([Id("<|im_end|>"), Id("<|endoftext|>")], encoder.EndTokenIds);
        Assert.Equal(encoder.EncodePrompt("the cat"), example.Prompt);
        Assert.Equal(0, encoder.MovedBoundaryCount);
    }

    // "assistant\n" and a response that begins with a newline make one word of the pattern, so that the tokens of both together do not begin with the prompt's.
    [Fact]
    public void Encode_MergeOverTheBoundary_EncodesResponseAloneAndCounts()
    {
        BytePairTokenizer tokenizer = SmallTokenizer.Read(WithMerge("\n", "\n"));
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Plain, [0]);

        EncodedExample example = encoder.Encode("the\n", "\ncat");

        Assert.True(example.HasMovedBoundary);
        Assert.Equal(1, encoder.MovedBoundaryCount);
        Assert.Equal(tokenizer.Encode("the\n"), example.Prompt);
        int[] expected = [.. tokenizer.Encode("\ncat"), 0];
        Assert.Equal(expected, example.Response);
    }

    [Fact]
    public void Encode_PlainSentencePiece_BeginsOnceAndJoinsTexts()
    {
        ITextTokenizer tokenizer = GoldenTokenizerTests.Load("tokenizer.json");
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Plain, [1, 2]);

        EncodedExample example = encoder.Encode("Once upon", " a time");

        int[] together = [1, .. tokenizer.Encode("Once upon a time"), 1];
        int[] actual = [.. example.Prompt, .. example.Response];
        Assert.Equal(together, actual);
        Assert.Equal(" a time", encoder.DecodeResponse(example.Response));
    }

    [Fact]
    public void Encode_AnyTexts_DecodeToTheResponse()
    {
        ITextTokenizer golden = GoldenTokenizerTests.Load("tokenizer.json");
        foreach (PromptEncoder encoder in (PromptEncoder[])[
            new(Small, ChatTemplate.ChatMl, [Id("<|endoftext|>")]), new(Small, ChatTemplate.Plain, [Id("<|endoftext|>")]), new(golden, ChatTemplate.Plain, [1, 2])])
        {
            Gen.Select(UnicodeText.Any, UnicodeText.Any).Sample(
                (prompt, response) =>
                {
                    EncodedExample example = encoder.Encode(prompt, response);
                    Assert.Equal(encoder.EncodePrompt(prompt), example.Prompt);
                    Assert.Equal(response, encoder.DecodeResponse(example.Response));
                    Assert.Equal(encoder.EndTokenId, example.Response[^1]);
                    TokenStreamDecoder decoder = encoder.CreateDecoder();
                    Assert.Equal(response, string.Concat(example.Response.Select(id => decoder.Append(id).ToString())) + decoder.Flush().ToString());
                },
                iter: 300,
                threads: 1);
        }
    }

    [Fact]
    public void Encode_MistralOnSentencePiece_GivesTextWithoutItsLeadingSpace()
    {
        ITextTokenizer tokenizer = GoldenTokenizerTests.Load("tokenizer.json");
        PromptEncoder encoder = new(tokenizer, ChatTemplate.Mistral, [2]);

        EncodedExample example = encoder.Encode("Hi", "Once upon");

        Assert.Equal("Once upon", encoder.DecodeResponse(example.Response));
        Assert.Equal(1, example.Prompt[0]);
        Assert.Equal(2, example.Response[^1]);
    }

    [Fact]
    public void Load_GoldenFolderAndLlama2cFile_GiveTheSameIds()
    {
        LoadedModel folder = LoadedModel.Load(TestData.Golden("stories260K-hf"), TestData.Golden("lora"));
        LoadedModel file = LoadedModel.Load(TestData.Golden("stories260K", "stories260K.bin"));

        Assert.Equal(folder.Encoder.EncodePrompt("Lily saw"), file.Encoder.EncodePrompt("Lily saw"));
        Assert.Equal(1, folder.Encoder.EncodePrompt("Lily saw")[0]);
        Assert.Equal([1, 2], folder.Encoder.EndTokenIds);
        Assert.Equal("plain", folder.Encoder.Template.Name);
        Assert.NotNull(folder.Adapter);
        Assert.Null(file.Adapter);
    }

    [Fact]
    public void Load_TokenizerLargerThanModel_Throws()
    {
        using TempFolder folder = new();
        string copy = folder.CopyOf(TestData.Golden("stories260K-hf"));
        LlamaFolderTests.Edit(copy, "tokenizer.json", json => json["added_tokens"]!.AsArray().Add(new System.Text.Json.Nodes.JsonObject { ["id"] = 600, ["content"] = "<new>" }));

        ModelFormatException exception = Assert.Throws<ModelFormatException>(() => LoadedModel.Load(copy));

        Assert.Contains("600", exception.Problem, StringComparison.Ordinal);
    }

    // The file that is named is read, not one of the usual name beside it; a folder may hold either kind.
    [Fact]
    public void Load_TokenizerPath_ReadsWhatItNames()
    {
        using TempFolder folder = new();
        string model = TestData.Golden("stories260K-hf");
        File.WriteAllText(folder.At("tokenizer.json"), SmallTokenizer.Json(SmallTokenizer.Gpt2Steps, merges: 3));
        File.Copy(Path.Combine(model, "tokenizer.json"), folder.At("mine.json"));
        Directory.CreateDirectory(folder.At("binary"));
        File.Copy(Path.Combine(model, "tokenizer.bin"), folder.At("binary", "tokenizer.bin"));
        int[] expected = LoadedModel.Load(model).Tokenizer.Encode("Once upon a time");

        Assert.Equal(expected, LoadedModel.Load(model, tokenizerPath: folder.At("mine.json")).Tokenizer.Encode("Once upon a time"));
        Assert.Equal(expected, LoadedModel.Load(model, tokenizerPath: folder.At("binary")).Tokenizer.Encode("Once upon a time"));
        Assert.NotEqual(expected, LoadedModel.Load(model, tokenizerPath: folder.Path).Tokenizer.Encode("Once upon a time"));
        Assert.Throws<ModelFormatException>(() => LoadedModel.Load(model, tokenizerPath: folder.At("missing.json")));
    }

    private static string WithMerge(string left, string right)
    {
        System.Text.Json.Nodes.JsonNode json = System.Text.Json.Nodes.JsonNode.Parse(SmallTokenizer.Json(SmallTokenizer.Llama3Steps, merges: 0))!;
        (string first, string second) = (SmallTokenizer.Spell(left), SmallTokenizer.Spell(right));
        json["model"]!["vocab"]![first + second] = 256;
        json["model"]!["merges"] = new System.Text.Json.Nodes.JsonArray(new System.Text.Json.Nodes.JsonArray(first, second));
        return json.ToJsonString();
    }
}
