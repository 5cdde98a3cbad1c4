namespace Aries;

/// <summary>A token that is found in text before the vocabulary is applied.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">How it is spelled.</param>
/// <param name="IsSpecial">Whether it steers the model: then it is found only where that is allowed, and decodes to nothing.</param>
/// <param name="IsWord">Whether it is found only where no letter or digit touches it.</param>
/// <param name="StripsLeft">Whether it takes in white space before it.</param>
/// <param name="StripsRight">Whether it takes in white space after it.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsWord = false, bool StripsLeft = false, bool StripsRight = false);
